// helm, and what it renders.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { yaml } from './modules.mjs';

export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, '../..');
export const chart = join(root, 'charts/plankton');
export const scratch = mkdtempSync(join(tmpdir(), 'plankton-chart-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const run = promisify(execFile);
let written = 0;

// Standard output; an Error with what helm says when it refuses.
export async function helm(...args) {
    const options = { maxBuffer: 1 << 26, env: { ...process.env, HELM_CACHE_HOME: scratch, KUBECONFIG: join(scratch, 'none') } };
    try {
        return (await run(process.env.HELM, args, options)).stdout;
    } catch (error) {
        throw new Error(error.stderr || error.message);
    }
}

// values: paths of values files, or objects -> arguments.
const valuesArguments = (values) => values.flatMap((each) => {
    if (typeof each === 'string') return ['-f', each];
    const path = join(scratch, `values-${written++}.yaml`);
    writeFileSync(path, yaml.stringify(each));
    return ['-f', path];
});

// kubeconfig: of a cluster, which may be asked what it has.
export async function template(values, { from = chart, name = 'plankton', kubeconfig } = {}) {
    const cluster = kubeconfig ? ['--kubeconfig', kubeconfig, '--dry-run=server', '--disable-openapi-validation'] : [];
    return helm('template', name, from, '--namespace', 'plankton', ...cluster, ...valuesArguments(values));
}

// What is wrong when these values are taken, or refused without the words `says` (a key as in a.b.c, above all) or with `hidden`.
export async function refusal(values, says, options, hidden) {
    try {
        await template(values, options);
    } catch (error) {
        const said = error.message.replace(/\/(?=\w)/g, '.');
        return said.includes(says) && !(hidden && said.includes(hidden)) ? [] : [`it says: ${said}`];
    }
    return ['it was taken'];
}

// What an install tells. Helm 3 wants a cluster for it, Helm 4 does not.
export async function notes(values, kubeconfig) {
    const said = await helm('install', 'plankton', chart, '--namespace', 'plankton', '--dry-run=client', '--disable-openapi-validation',
        '--kubeconfig', kubeconfig, ...valuesArguments(values));
    return said.slice(said.indexOf('NOTES:'));
}

// The objects of a render. A key that is there twice is an error of the parser.
export function objects(text) {
    return yaml.parseAllDocuments(text)
        .filter((document) => document.contents)
        .map((document) => {
            if (document.errors.length > 0) throw document.errors[0];
            return document.toJS();
        });
}

// Keys that values files give begin with 0000.
export const madeUp = /^(p[A-Za-z0-9]{31}|(?!0000)[0-9a-f]{64})$/;

// Without what is made up anew in each render: the values of Secrets.
export function withoutSecrets(object) {
    if (object.kind !== 'Secret') return object;
    const decoded = Object.entries(object.data ?? {}).map(([key, value]) => {
        const text = Buffer.from(value, 'base64').toString();
        return [key, madeUp.test(text) ? '(made up)' : text];
    });
    return { ...object, data: Object.fromEntries(decoded) };
}

// The same of a whole render, as text.
export const masked = (text) => text.replace(/"([A-Za-z0-9+/=]{40,})"/g, (quoted, value) =>
    (madeUp.test(Buffer.from(value, 'base64').toString()) ? '(made up)' : quoted));

// The same text for the same objects.
export function canonical(text) {
    const sorted = (value) => {
        if (Array.isArray(value)) return value.map(sorted);
        if (value === null || typeof value !== 'object') return value;
        return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
    };
    const place = (object) => `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;
    return objects(text)
        .sort((a, b) => (place(a) < place(b) ? -1 : 1))
        .map((object) => `---\n${yaml.stringify(sorted(withoutSecrets(object)), { lineWidth: 0, aliasDuplicateObjects: false })}`)
        .join('');
}

// Runs work(item) for every item, `width` at a time, and returns the results in order.
export async function each(items, work, width = 2) {
    const results = new Array(items.length);
    let next = 0;
    const worker = async () => {
        while (next < items.length) {
            const index = next++;
            results[index] = await work(items[index]);
        }
    };
    await Promise.all(Array.from({ length: width }, worker));
    return results;
}
