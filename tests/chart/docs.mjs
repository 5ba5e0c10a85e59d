// docs/chart.md, made of the comments of values.yaml.
import { yaml } from './modules.mjs';

const head = `# Values of the chart

<!-- Made of the comments in charts/plankton/values.yaml by \`./dev chart --update\`; do not edit. -->

    helm install plankton charts/plankton --namespace plankton --create-namespace

A key that is not here, or a value of another type, is refused. Names of settings (\`config\`) are those of
[configuration.md](configuration.md), routes are told of in [routes.md](routes.md).
`;

const tail = `
## Secrets

What is not given is made up at the first install, kept over upgrades, and stays when the release is uninstalled (so do the
volumes): an install of the same name takes it again. Remove the Secrets and the volumes together, or neither. Where there is
no cluster to look it up in (\`helm template\`, Argo CD, Flux), it would be made up anew each time: make the Secrets first, and
name them.

| key | Secret of its own | its keys |
|---|---|---|
| \`bootstrapAdmin.existingSecret\` | \`<release>-bootstrap-admin\` | \`email\`, \`password\` |
| \`auth.existingSecret\` | \`<release>-auth\` | \`key-encryption-key\` |
| \`database.existingSecret\` | \`<release>-database\` | \`users-password\`, \`auth-password\`, \`postgres-password\` |
| \`nats.existingSecret\` | \`<release>-nats\` | \`users-password\`, \`auth-password\`, \`operator-password\` |
`;

const pathText = (path) => path.join('.');

// [{path, comment}] of the keys; comments are the lines before a key. What is inside of a key that has a comment, and has
// none itself, belongs to its value.
export function comments(text) {
    const found = [];
    const path = [];
    let comment = [];
    for (const line of text.split('\n')) {
        const remark = line.match(/^ *# ?(.*)$/);
        const key = line.match(/^( *)([A-Za-z_][\w-]*):(?: |$)/);
        if (remark) {
            comment.push(remark[1]);
            continue;
        }
        if (key) {
            path.length = key[1].length / 2;
            path.push(key[2]);
            found.push({ path: [...path], comment: comment.join(' ') });
        }
        comment = [];
    }
    const within = (inner, outer) => inner.path.length > outer.path.length && outer.path.every((name, index) => inner.path[index] === name);
    const values = found.filter((key) => key.comment && !found.some((other) => other.comment && within(other, key)));
    return found.filter((key) => !values.some((value) => within(key, value)));
}

const get = (values, path) => path.reduce((value, name) => value[name], values);

function cell(value) {
    if (value === '' || value === null || (typeof value === 'object' && Object.keys(value).length === 0)) return '';
    const flow = yaml.stringify(value, { collectionStyle: 'flow', lineWidth: 0, aliasDuplicateObjects: false, flowCollectionPadding: false });
    return `\`${flow.trim().replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|')}\``;
}

// Throws when a key has no comment.
export function reference(text) {
    const values = yaml.parse(text);
    const keys = comments(text);
    const isGroup = ({ path }) => keys.some((other) => pathText(other.path).startsWith(`${pathText(path)}.`));
    const row = ({ path, comment }) => {
        if (!comment) throw new Error(`values.yaml: ${pathText(path)} has no comment`);
        return `| \`${pathText(path)}\` | ${cell(get(values, path))} | ${comment.replaceAll('|', '\\|')} |\n`;
    };
    const table = (rows) => `\n| key | default | meaning |\n|---|---|---|\n${rows.map(row).join('')}`;
    const tops = keys.filter(({ path }) => path.length === 1);
    const alone = tops.filter((key) => !isGroup(key));
    const groups = tops.filter(isGroup).map((top) => {
        const rows = keys.filter((key) => key.path.length > 1 && key.path[0] === top.path[0] && !isGroup(key));
        return `\n## ${top.path[0]}\n${top.comment ? `\n${top.comment}.\n` : ''}${table(rows)}`;
    });
    return `${head}${table(alone)}${groups.join('')}${tail}`;
}
