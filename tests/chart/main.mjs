// ./dev chart: see run.sh. With --update, golden files, the generated page and the settings in the schema are made anew.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { built, settingsMistakes } from './binaries.mjs';
import { checkTheCheckers } from './broken.mjs';
import { withSecrets } from './cluster.mjs';
import { reference } from './docs.mjs';
import { flows } from './flows.mjs';
import { difference, golden, stale, update } from './golden.mjs';
import { canonical, chart, each, here, madeUp, masked, notes, objects, refusal, root, scratch, template } from './helm.mjs';
import { disagreements, effect, leaves } from './keys.mjs';
import { yaml } from './modules.mjs';
import { images, podTemplates, renderTwice, rules } from './renders.mjs';
import { check, finish, report, same } from './report.mjs';
import { sampleSettings, settingsDefinitions } from './settings.mjs';

const read = (...path) => readFileSync(join(...path), 'utf8');

// --- the schema and the page ----------------------------------------------------------------------

const valuesText = read(chart, 'values.yaml');
const values = yaml.parse(valuesText);
const schemaPath = join(chart, 'values.schema.json');
const schema = JSON.parse(read(schemaPath));

async function checkSchema() {
    const settings = settingsDefinitions(read(root, 'docs/configuration.md'));
    if (update) {
        Object.assign(schema.definitions, settings);
        writeFileSync(schemaPath, `${JSON.stringify(schema, null, 2)}\n`);
    }
    for (const [name, definition] of Object.entries(settings))
        await check(`schema: ${name} is docs/configuration.md`, () =>
            isDeepStrictEqual(schema.definitions[name], definition) ? [] : `values.schema.json ${stale}`);
    await check('schema: the keys are those of values.yaml', () => disagreements(schema, values, [
        'enabled', // set by the condition of a parent chart
        ...Object.keys(schema.definitions.probe.properties).flatMap((field) => ['startup', 'liveness', 'readiness'].map((probe) => `probes.${probe}.${field}`)),
        ...['gateway', 'auth', 'users', 'postgresql', 'nats'].map((part) => `${part}.resources.claims`),
    ]));
    await check('docs/chart.md', () => golden(join(root, 'docs/chart.md'), reference(valuesText)));
}

// --- the matrix -----------------------------------------------------------------------------------

const folder = join(here, 'values');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml')).sort();

async function checkMatrix() {
    const rendered = await each(files, (file) => renderTwice(join(folder, file)).catch((error) => ({ error })));
    const base = join(here, 'golden/default.yaml');
    const byName = Object.fromEntries(files.map((file, index) => [basename(file, '.yaml'), rendered[index]]));
    for (const [name, { error, text, again, lint, all, golden: fresh }] of Object.entries(byName)) {
        if (error) {
            report(name, error.message);
            continue;
        }
        report(`${name}: helm lint --strict`, lint);
        report(`${name}: two renders are the same`, canonical(again) === fresh ? [] : 'they differ');
        for (const [rule, find] of Object.entries(rules)) await check(`${name}: ${rule}`, () => find(all));
        const freshPath = join(scratch, `${name}.yaml`);
        writeFileSync(freshPath, fresh);
        if (name === 'default') report('golden: default', golden(base, fresh));
    }
    for (const [name] of Object.entries(byName).filter(([name, { error }]) => name !== 'default' && !error))
        await check(`golden: ${name}`, () => golden(join(here, `golden/${name}.diff`), difference(base, join(scratch, `${name}.yaml`))));
    const extra = readdirSync(join(here, 'golden')).filter((file) => !(basename(file).replace(/\.\w+$/, '') in byName));
    report('golden: nothing that is not rendered any more', extra);
    report('matrix: at least 12 values files', files.length >= 12 ? [] : `${files.length}`);
    return byName;
}

async function checkBinaries(byName) {
    if (!built()) return void console.log('skipped: the binaries are not built (./dev test), so nobody says whether they take what is rendered');
    for (const [name, { all }] of Object.entries(byName)) await check(`${name}: the binaries take their settings`, () => settingsMistakes(all));
    await check('broken: settings that a binary refuses', async () => {
        const all = objects(await template([{ users: { extraEnv: [{ name: 'DB_MAX_OPEN', value: 'many' }] } }]));
        return (await settingsMistakes(all)).some((said) => said.includes('DB_MAX_OPEN')) ? [] : 'they are taken';
    });
}

// --- what single renders must show ----------------------------------------------------------------

const arrows = ['gateway -> auth:8080', 'gateway -> users:8080', 'users -> auth:8080', 'users -> nats:4222', 'users -> postgresql:5432',
    'auth -> nats:4222', 'auth -> postgresql:5432', 'test -> gateway:8080', 'test -> gateway:9090', 'test -> users:9090', 'test -> auth:9090'];
const dns = ['gateway', 'auth', 'users', 'test'].flatMap((part) => [`${part} -> *:53`, `${part} -> *:53/udp`]);

async function checkDefault({ all, text }, gitops) {
    await check('only the arrows of the architecture', () => same(flows(all), {
        ingress: ['* -> gateway:8080', ...arrows].sort(), egress: [...arrows, ...dns].sort(), open: [] }));
    await check('fixed names', () => {
        const service = all.find(({ kind, metadata }) => kind === 'Service' && metadata.name === 'plankton-gateway');
        const admin = all.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === 'plankton-bootstrap-admin');
        return [...same(service.spec.ports[0].port, 80), ...same(Object.keys(admin.data).sort(), ['email', 'password'])];
    });
    await check('images', () => {
        const { appVersion } = yaml.parse(read(chart, 'Chart.yaml'));
        return same(images(all).filter((image) => image.startsWith('plankton/')),
            ['auth', 'gateway', 'users'].map((name) => `plankton/${name}:${appVersion}`));
    });
    await check('gitops: the same to the byte', () => (gitops.text === gitops.again ? [] : 'two renders differ'));
    await check('gitops: no Secret', () => gitops.all.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => metadata.name));
    await check('the permissions of NATS are those of docs/nats-server.conf', () => {
        const section = (conf) => conf.slice(conf.indexOf('authorization {')).trim();
        const rendered = all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'plankton-nats').data['nats-server.conf'];
        return same(section(rendered).split('\n'), section(read(root, 'docs/nats-server.conf')).split('\n'));
    });
    await check('made-up secrets are long, and all different', () => {
        const made = all.filter(({ kind }) => kind === 'Secret').flatMap(({ metadata, data }) => Object.entries(data)
            .filter(([key]) => key !== 'email').map(([key, value]) => [`${metadata.name}/${key}`, Buffer.from(value, 'base64').toString()]));
        const other = objects(text).length === all.length ? [] : ['objects are lost'];
        const short = made.filter(([, value]) => !madeUp.test(value)).map(([key]) => key);
        return [...other, ...short, ...same(new Set(made.map(([, value]) => value)).size, 8)];
    });
}

async function checkRolling({ text }) {
    const before = podTemplates(text);
    const rolled = async (change, from) => {
        const after = podTemplates(await template([change], { from }));
        return Object.keys(before).filter((name) => !isDeepStrictEqual(before[name], after[name]));
    };
    const cases = [
        ['routes are reloaded, nothing is rolled', { gateway: { routes: [{ path: '/', upstream: 'auth' }] } }, []],
        ['a setting rolls its service', { users: { config: { LOG_LEVEL: 'debug' } } }, ['plankton-users']],
        ['a setting of all rolls the services', { config: { LOG_LEVEL: 'debug' } }, ['plankton-auth', 'plankton-gateway', 'plankton-users']],
        ['more pods roll nothing', { users: { replicaCount: 5 } }, []],
        ['a password rolls nothing', { database: { users: { password: 'another' } } }, []],
        ['limits of JetStream roll NATS', { nats: { jetstream: { maxFile: '3G' } } }, ['plankton-nats']],
    ];
    for (const [name, change, wanted] of cases) await check(`rolling: ${name}`, async () => same((await rolled(change)).sort(), wanted));
    await check('rolling: another version of the chart rolls nothing', async () => {
        const from = join(scratch, 'newer');
        cpSync(chart, from, { recursive: true });
        writeFileSync(join(from, 'Chart.yaml'), read(chart, 'Chart.yaml').replace(/^version: .*/m, 'version: 9.9.9'));
        return same(await rolled({}, from), []);
    });
}

async function checkLongNames() {
    await check('the longest name of a release fits', async () => {
        const all = objects(await template([], { name: 'a'.repeat(53) }));
        // The pods of a StatefulSet have a label of its name and a hash of 10.
        const longest = ({ kind }) => (kind === 'StatefulSet' ? 52 : 63);
        return [...all.filter((object) => object.metadata.name.length > longest(object)).map(({ metadata }) => metadata.name), ...rules.references(all)];
    });
}

async function checkSettings() {
    for (const part of ['gateway', 'auth', 'users']) {
        await check(`every setting of ${part} arrives`, async () => {
            const sample = sampleSettings(schema.definitions[`${part}Config`]);
            const all = objects(await template([{ [part]: { config: sample } }]));
            const { data } = all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === `plankton-${part}`);
            return Object.entries(sample).filter(([name, value]) => data[name] !== String(value)).map(([name]) => `${name}: ${data[name]}`);
        });
    }
    await check('a setting of one service comes before that of all, also when it is false', async () => {
        const all = objects(await template([{ config: { ACCESS_LOG: true }, users: { config: { ACCESS_LOG: false } } }]));
        const data = (part) => all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === `plankton-${part}`).data.ACCESS_LOG;
        return same([data('users'), data('auth')], ['false', 'true']);
    });
}

const secretsOf = (all) => all.filter(({ kind }) => kind === 'Secret').map((secret) => ({ ...secret, metadata: { name: secret.metadata.name } }));

async function checkSecrets({ all }) {
    const before = secretsOf(all);
    const after = (values, secrets = before) => withSecrets(secrets, async (kubeconfig) => secretsOf(objects(await template(values, { kubeconfig }))));
    const value = (secrets, name, key) => Buffer.from(secrets.find(({ metadata }) => metadata.name === name).data[key], 'base64').toString();
    await check('made-up secrets survive an upgrade', async () => same(await after([{ users: { replicaCount: 5 } }]), before));
    await check('made-up secrets: those of another release are not taken', async () =>
        same((await after([{ fullnameOverride: 'other' }])).filter(({ data }, index) => isDeepStrictEqual(data, before[index].data)), []));
    await check('made-up secrets: one that is lost is made up again, and no other', async () => {
        const [lost, ...rest] = before;
        const seen = await after([], rest);
        return [...same(seen.slice(1), rest), ...(isDeepStrictEqual(seen[0], lost) ? ['it was not lost'] : [])];
    });
    await check('a value that is given comes before the one that is there', async () => {
        const seen = await after([{ database: { users: { password: 'new-one' } } }]);
        return [...same(value(seen, 'plankton-database', 'users-password'), 'new-one'),
            ...same(value(seen, 'plankton-database', 'auth-password'), value(before, 'plankton-database', 'auth-password'))];
    });
}

async function checkNotes() {
    const cases = [
        ['plain', {}, ['secret plankton-bootstrap-admin', 'port-forward service/plankton-gateway 8080:80', 'publicUrl is not set'], 'WARNING'],
        ['ingress', { publicUrl: 'https://a.example', ingress: { enabled: true, tls: [{}], hosts: [{ host: 'a.example', paths: [{ path: '/', pathType: 'Prefix' }] }] } },
            ['api=https://a.example/api/v1'], 'publicUrl is not set'],
        ['httproute', { httpRoute: { enabled: true, hostnames: ['b.example'], parentRefs: [{ name: 'public' }] } }, ['api=http://b.example/api/v1'], 'port-forward'],
        ['admin of somebody else', { bootstrapAdmin: { existingSecret: 'mine' } }, ['get secret mine'], 'plankton-bootstrap-admin'],
        ['no admin', { bootstrapAdmin: { enabled: false } }, ['helm test plankton'], 'first admin'],
        ['too many connections', { users: { autoscaling: { enabled: true, maxReplicas: 20 } } }, ['280 connections', 'raise postgresql.maxConnections'], 'are gone'],
        ['data that go', { postgresql: { persistence: { enabled: false } } }, ['WARNING: the data of PostgreSQL are gone'], 'connections'],
    ];
    for (const [name, change, wanted, unwanted] of cases)
        await check(`notes: ${name}`, async () => {
            const said = await withSecrets([], (kubeconfig) => notes([change], kubeconfig));
            return [...wanted.filter((text) => !said.includes(text)), ...(said.includes(unwanted) ? [`not wanted: ${unwanted}`] : [])]
                .flatMap((mistake) => [mistake, said]);
        });
}

async function checkSubchart() {
    const from = join(scratch, 'parent');
    mkdirSync(join(from, 'charts'), { recursive: true });
    cpSync(join(here, 'parent'), from, { recursive: true });
    cpSync(chart, join(from, 'charts/plankton'), { recursive: true });
    await check('as a subchart, twice', async () => {
        const all = objects(await template([], { from, name: 'shop' }));
        const gateways = all.filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name.endsWith('-gateway'));
        return [...same(gateways.map(({ metadata, spec }) => [metadata.name, spec.replicas]), [['shop-partners-gateway', 2], ['shop-plankton-gateway', 1]]),
            ...images(all).filter((image) => !image.startsWith('registry.example.com/')),
            ...Object.values(rules).flatMap((find) => find(all))];
    });
    await check('as a subchart that is off', async () =>
        same(objects(await template([{ plankton: { enabled: false }, partners: { enabled: false } }], { from })), []));
    await check('as a subchart, wrong keys are refused', async () =>
        refusal([{ plankton: { gatway: {} } }], 'gatway', { from }));
}

// --- what is refused ------------------------------------------------------------------------------

async function checkRefused() {
    const rows = yaml.parse(read(here, 'refused.yaml'));
    const seen = await each(rows, ({ values: wrong, says, hidden }) => refusal([wrong], says, {}, hidden));
    rows.forEach(({ says, values: wrong }, index) => report(`refused: ${says} (${JSON.stringify(wrong)})`, seen[index]));
}

// --- every key has an effect ----------------------------------------------------------------------

async function checkEffects() {
    const contexts = await each(['all', 'external', 'autoscaling', 'default'], async (name) => {
        const file = join(folder, `${name}.yaml`);
        return { file, values: yaml.parse(read(file)), rendered: masked(await template([file])) };
    });
    const render = async ({ file }, change) => masked(await template([file, change]));
    const all = leaves(schema, values);
    const seen = await each(all, (leaf) => effect(leaf, contexts, render));
    all.forEach(({ path }, index) => report(`effect: ${path.join('.')}`, seen[index] ?? []));
}

// --------------------------------------------------------------------------------------------------

if (update) {
    rmSync(join(here, 'golden'), { recursive: true, force: true });
    mkdirSync(join(here, 'golden'));
}
await checkSchema();
const byName = await checkMatrix();
await checkDefault(byName.default, byName.gitops);
await checkBinaries(byName);
await checkRolling(byName.default);
await checkSettings();
await checkSecrets(byName.default);
await checkLongNames();
await checkNotes();
await checkSubchart();
await checkRefused();
await checkTheCheckers(schema, valuesText);
await checkEffects();
finish();
