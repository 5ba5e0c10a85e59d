// Whether an object is what its apiVersion and kind say. The validators of the packages let unknown fields pass, so
// the declarations beside them (*.d.ts) are read, and fields compared with those, too.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { load, modules } from './modules.mjs';

const packages = {
    'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
    'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

function fileOf({ apiVersion, kind }) {
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
    const folder = packages[group] ?? 'kubernetes-models';
    return join(modules, 'node_modules', folder, apiVersion, kind);
}

// --- declarations ---------------------------------------------------------------------------------

// {open: bool, fields: {name: {required, type}}, rest: type} | {array} | {union} | {literal} | {name}
class Parser {
    constructor(text) {
        const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
        this.tokens = code.match(/"(?:\\.|[^"\\])*"|[A-Za-z_$][\w$]*|-?\d+|[{}[\]<>:;|&?,=()]/g) ?? [];
        this.at = 0;
    }
    peek() { return this.tokens[this.at]; }
    take(wanted) {
        const token = this.tokens[this.at++];
        if (wanted && token !== wanted) throw new Error(`declaration: ${wanted} expected, not ${token}`);
        return token;
    }
    type() {
        const members = [];
        do {
            if (members.length > 0 || this.peek() === '|') this.take('|');
            members.push(this.member());
        } while (this.peek() === '|');
        return members.length === 1 ? members[0] : { union: members };
    }
    member() {
        if (this.peek() === '{') return this.object();
        const token = this.take();
        if (token.startsWith('"')) return { literal: JSON.parse(token) };
        if (/^-?\d+$/.test(token)) return { literal: Number(token) };
        if (this.peek() !== '<') return { name: token };
        this.take('<');
        const inner = this.type();
        this.take('>');
        if (token !== 'Array') throw new Error(`declaration: ${token}<> is not known`);
        return { array: inner };
    }
    object() {
        const found = { fields: {}, rest: null };
        this.take('{');
        while (this.peek() !== '}') {
            if (this.peek() === '[') {
                while (this.take() !== ']');
                this.take(':');
                found.rest = this.type();
            } else {
                const token = this.take();
                const name = token.startsWith('"') ? JSON.parse(token) : token;
                const required = this.peek() !== '?';
                if (!required) this.take('?');
                this.take(':');
                found.fields[name] = { required, type: this.type() };
            }
            this.take(';');
        }
        this.take('}');
        return found;
    }
}

const files = new Map();

// What a file declares: {types: {name: type}, imports: {name: path}}.
function read(path) {
    if (files.has(path)) return files.get(path);
    const text = readFileSync(`${path}.d.ts`, 'utf8');
    const file = { types: {}, imports: {}, path };
    files.set(path, file);
    for (const [, names, from] of text.matchAll(/^import \{([^}]*)\} from "([^"]*)";/gm))
        for (const name of names.split(',')) file.imports[name.trim()] = from;
    for (const [head, name, parent] of text.matchAll(/^export interface (\w+)(?: extends (\w+))? (?=\{)/gm)) {
        file.types[name] = new Parser(text.slice(text.indexOf(head) + head.length)).object();
        if (parent && parent !== 'TypeMeta') throw new Error(`declaration: ${name} extends ${parent}`);
    }
    for (const [head, name] of text.matchAll(/^export declare type (I\w+) = /gm))
        file.types[name] = new Parser(text.slice(text.indexOf(head) + head.length)).type();
    for (const [, list] of text.matchAll(/^export \{([^}]*)\};/gm))
        for (const [, name, alias] of list.matchAll(/(\w+) as (\w+)/g))
            if (file.types[name]) file.types[alias] = file.types[name];
    return file;
}

function resolve(name, file) {
    if (file.types[name]) return { type: file.types[name], file };
    const from = file.imports[name];
    if (!from) throw new Error(`declaration: ${name} is not known in ${file.path}`);
    if (from.startsWith('.')) return resolve(name, read(join(dirname(file.path), from)));
    // The version that the package itself was built against.
    for (let folder = dirname(file.path); folder !== dirname(folder); folder = dirname(folder)) {
        const path = join(folder, 'node_modules', from);
        if (existsSync(`${path}.d.ts`)) return resolve(name, read(path));
    }
    throw new Error(`declaration: ${from} is not installed`);
}

// --- values against declarations ------------------------------------------------------------------

const primitives = { string: 'string', number: 'number', boolean: 'boolean' };

function mistakes(value, type, file, place) {
    if (type.name === 'any' || type.name === 'unknown') return [];
    if (type.name === 'object') return value !== null && typeof value === 'object' ? [] : [`${place}: must be object`];
    if (type.name === 'null') return value === null ? [] : [`${place}: must be null`];
    if (type.name in primitives) return typeof value === type.name ? [] : [`${place}: must be ${type.name}`];
    if (type.name) {
        const target = resolve(type.name, file);
        return mistakes(value, target.type, target.file, place);
    }
    if ('literal' in type) return value === type.literal ? [] : [`${place}: must be ${JSON.stringify(type.literal)}`];
    if (type.union) {
        const all = type.union.map((member) => mistakes(value, member, file, place));
        return all.some((found) => found.length === 0) ? [] : [`${place}: is none of what it may be`];
    }
    if (type.array) {
        if (!Array.isArray(value)) return [`${place}: must be array`];
        return value.flatMap((item, index) => mistakes(item, type.array, file, `${place}[${index}]`));
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return [`${place}: must be object`];
    const missing = Object.entries(type.fields)
        .filter(([name, field]) => field.required && !(name in value))
        .map(([name]) => `${place}.${name}: is missing`);
    const wrong = Object.entries(value).flatMap(([name, member]) => {
        const declared = type.fields[name]?.type ?? type.rest;
        return declared ? mistakes(member, declared, file, `${place}.${name}`) : [`${place}.${name}: is not known`];
    });
    return [...missing, ...wrong];
}

// A list of what is wrong.
export function typeMistakes(object) {
    const place = `${object.kind}/${object.metadata?.name}`;
    const path = fileOf(object);
    if (!existsSync(`${path}.d.ts`)) return [`${place}: ${object.apiVersion} ${object.kind} is not known`];
    const found = mistakes(object, { name: `I${object.kind}` }, read(path), place);
    try {
        const Kind = load(`${path}.js`)[object.kind];
        new Kind(object).validate();
    } catch (error) {
        found.push(`${place}: ${error.message}`);
    }
    return found;
}
