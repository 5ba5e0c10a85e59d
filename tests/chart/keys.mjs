// The keys of values.yaml and of its schema: whether both have the same, what each may be changed to, whether a change is
// seen in what is rendered.
import { isDeepStrictEqual } from 'node:util';

export function deref(schema, node) {
    return node.$ref ? deref(schema, schema.definitions[node.$ref.replace('#/definitions/', '')]) : node;
}

const isMap = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// Leaves of the schema: [{path, node, value}]. A `config` is one leaf.
export function leaves(schema, values, node = schema, path = []) {
    const { properties, examples, ...rest } = deref(schema, node);
    if (!properties || examples) return [{ path, node: { examples, ...rest }, value: values }];
    return Object.entries(properties)
        .filter(([name]) => isMap(values) && name in values)
        .flatMap(([name, child]) => leaves(schema, values[name], child, [...path, name]));
}

// Keys that the one has and the other has not. `exempt` are of the schema alone.
export function disagreements(schema, values, exempt, node = schema, path = []) {
    const { properties, examples } = deref(schema, node);
    if (!properties || examples || !isMap(values)) return [];
    const here = [...path, ''].join('.');
    return [
        ...Object.keys(values).filter((name) => !(name in properties)).map((name) => `${here}${name} is not in the schema`),
        ...Object.keys(properties).filter((name) => !(name in values) && !exempt.includes(here + name))
            .map((name) => `${here}${name} is not in values.yaml`),
        ...Object.entries(properties).filter(([name]) => name in values)
            .flatMap(([name, child]) => disagreements(schema, values[name], exempt, child, [...path, name])),
    ];
}

// Values other than `value` that the schema allows.
export function changes({ node, value }) {
    const { examples = [], enum: choices = [], type } = node;
    const types = [type].flat();
    const found = [...examples, ...choices];
    if (types.includes('boolean')) found.push(!value);
    if (types.includes('integer') && typeof value === 'number') found.push(value + 1, value - 1);
    return found.filter((each) => !isDeepStrictEqual(each, value)
        && !(typeof each === 'number' && (each < (node.minimum ?? each) || each > (node.maximum ?? each))));
}

export const at = (path, value) => path.reduceRight((inner, name) => ({ [name]: inner }), value);

const lookup = (values, path) => path.reduce((value, name) => value?.[name], values);

// Whether some change of the leaf changes what some context renders. contexts: [{values, rendered}]; render(values, change)
// -> canonical text. Returns null, or why not.
export async function effect(leaf, contexts, render) {
    let refused = null;
    for (const context of contexts) {
        const present = lookup(context.values, leaf.path) ?? leaf.value;
        for (const change of changes({ ...leaf, value: present })) {
            try {
                if ((await render(context, at(leaf.path, change))) !== context.rendered) return null;
            } catch (error) {
                refused = error.message;
            }
        }
    }
    return refused ?? 'no change of it changes anything';
}
