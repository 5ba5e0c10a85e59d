// The checkers are checked: each row is something broken, and what must be said of it.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { withSecrets } from './cluster.mjs';
import { comments, reference } from './docs.mjs';
import { flows } from './flows.mjs';
import { golden } from './golden.mjs';
import { canonical, chart, masked, objects, refusal, scratch, template } from './helm.mjs';
import { disagreements, effect, leaves } from './keys.mjs';
import { yaml } from './modules.mjs';
import { rules } from './renders.mjs';
import { check } from './report.mjs';

const find = (all, kind, name) => all.find((object) => object.kind === kind && object.metadata.name === `plankton-${name}`);
const deployment = (all) => find(all, 'Deployment', 'users');
const pod = (all) => deployment(all).spec.template.spec;
const container = (all) => pod(all).containers[0];
const context = (all) => container(all).securityContext;
const testPod = (all) => find(all, 'Pod', 'test-users').spec;

// [rule, what is done to the default render, what is said]
const rows = [
    ['types', (all) => (deployment(all).spec.replica = 2), 'spec.replica: is not known'],
    ['types', (all) => (deployment(all).spec.replicas = '2'), 'spec.replicas: must be number'],
    ['types', (all) => (deployment(all).kind = 'Deploiment'), 'Deploiment is not known'],
    ['types', (all) => (deployment(all).apiVersion = 'apps/v7'), 'apps/v7 Deployment is not known'],
    ['types', (all) => delete deployment(all).spec.selector, 'selector'],
    ['types', (all) => (container(all).readinessProbe.httpget = {}), 'httpget: is not known'],
    ['types', (all) => (container(all).imagePullPolicy = 'Sometimes'), 'imagePullPolicy: is none of what it may be'],
    ['types', (all) => (container(all).env[0].valueFrom.secretKeyRef.ky = 'x'), 'ky: is not known'],
    ['types', (all) => (container(all).resources.limits.memory = true), 'memory: is none of what it may be'],
    ['types', (all) => (deployment(all).metadata.labels.number = 7), 'labels.number: must be string'],
    ['types', (all) => (find(all, 'NetworkPolicy', 'users').spec.ingress[0].from[0].podSelektor = {}), 'podSelektor: is not known'],
    ['types', (all) => (find(all, 'Service', 'users').spec.ports[0].targetport = 1), 'targetport: is not known'],
    ['types', (all) => (find(all, 'HTTPRoute', 'gateway').spec.rules[0].backendRef = []), 'backendRef: is not known'],
    ['types', (all) => (find(all, 'HTTPRoute', 'gateway').spec.rules[0].backendRefs[0].port = 'http'), 'port'],
    ['types', (all) => (all.find(({ kind }) => kind === 'ServiceMonitor').spec.endpoints[0].intervall = '3s'), 'intervall: is not known'],
    ['types', (all) => delete all.find(({ kind }) => kind === 'ServiceMonitor').spec.selector, 'selector'],
    ['restricted', (all) => (pod(all).hostNetwork = true), 'hostNetwork is set'],
    ['restricted', (all) => pod(all).volumes = [{ name: 'host', hostPath: { path: '/' } }], 'volume host is a hostPath'],
    ['restricted', (all) => (pod(all).securityContext.runAsNonRoot = undefined), 'runAsNonRoot is not true'],
    ['restricted', (all) => (pod(all).securityContext.runAsUser = 0), 'runAsUser is 0'],
    ['restricted', (all) => delete pod(all).securityContext.seccompProfile, 'no seccompProfile'],
    ['restricted', (all) => (context(all).seccompProfile = { type: 'Unconfined' }), 'seccompProfile is Unconfined'],
    ['restricted', (all) => (context(all).capabilities.drop = ['NET_RAW']), 'not all capabilities are dropped'],
    ['restricted', (all) => (context(all).capabilities.add = ['SYS_ADMIN']), 'capability SYS_ADMIN is added'],
    ['restricted', (all) => delete context(all).allowPrivilegeEscalation, 'allowPrivilegeEscalation is not false'],
    ['restricted', (all) => (context(all).privileged = true), 'privileged is set'],
    ['restricted', (all) => (container(all).ports[0].hostPort = 80), 'hostPort 80'],
    ['restricted', (all) => (context(all).procMount = 'Unmasked'), 'procMount is Unmasked'],
    ['restricted', (all) => (pod(all).initContainers[0].securityContext = {}), 'container migrate: not all capabilities'],
    ['restricted', (all) => (testPod(all).containers[0].securityContext = {}), 'Pod/plankton-test-users: container healthcheck'],
    ['restricted', (all) => (find(all, 'StatefulSet', 'nats').spec.template.spec.hostPID = true), 'StatefulSet/plankton-nats: hostPID is set'],
    ['pods', (all) => container(all).env.push({ name: 'NATS_URL', value: 'x' }), 'env NATS_URL is there twice'],
    ['pods', (all) => container(all).env.reverse(), 'uses $(NATS_PASSWORD), which is not set before it'],
    ['pods', (all) => (pod(all).automountServiceAccountToken = true), 'token is mounted'],
    ['pods', (all) => (context(all).readOnlyRootFilesystem = false), 'its root can be written'],
    ['pods', (all) => (pod(all).volumes = [{ name: 'idle', emptyDir: {} }]), 'volume idle is mounted nowhere'],
    ['pods', (all) => (container(all).volumeMounts = [{ name: 'lost', mountPath: '/x', subPath: 'y' }]), 'volume lost is not there'],
    ['references', (all) => all.splice(all.indexOf(find(all, 'Secret', 'database')), 1), 'Secret/plankton-database is not there'],
    ['references', (all) => delete find(all, 'Secret', 'database').data['users-password'], 'has no key users-password'],
    ['references', (all) => (find(all, 'Service', 'users').spec.selector['app.kubernetes.io/component'] = 'user'), 'selects no pod'],
    ['references', (all) => delete find(all, 'Service', 'users').spec.selector['app.kubernetes.io/component'], 'selects pods of'],
    ['references', (all) => (find(all, 'Service', 'users').spec.ports[0].targetPort = 'web'), 'port web is not there'],
    ['references', (all) => all.push(deployment(all)), 'is there twice'],
    ['life', (all) => (pod(all).terminationGracePeriodSeconds = 39), 'killed while it drains'],
    ['life', (all) => (container(all).readinessProbe.httpGet.path = '/livez'), 'no readinessProbe of /readyz'],
    ['life', (all) => delete pod(all).initContainers, 'the wrong way round'],
    ['life', (all) => (deployment(all).spec.strategy.rollingUpdate.maxUnavailable = 1), 'takes pods away'],
    ['budgets', (all) => { deployment(all).spec.replicas = 1; find(all, 'PodDisruptionBudget', 'users').spec = { minAvailable: 1 }; }, 'none can be drained'],
    ['budgets', (all) => { find(all, 'PodDisruptionBudget', 'users').spec = { minAvailable: '60%' }; }, 'none can be drained'],
    ['secrets', (all) => delete find(all, 'Secret', 'auth').metadata.annotations, 'would go with the release'],
];

// A copy of the chart in which `from` became `to` in a file.
function spoil(name, file, from, to) {
    const copy = join(scratch, name);
    cpSync(chart, copy, { recursive: true });
    const text = readFileSync(join(copy, file), 'utf8');
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    writeFileSync(join(copy, file), text.replaceAll(from, to));
    return copy;
}

async function spoiledCharts(schema, text) {
    const values = yaml.parse(text);
    await check('a key without effect is found', async () => {
        const from = spoil('no-effect', 'templates/_service.tpl', 'replicas: {{ .values.replicaCount }}', 'replicas: 2');
        const leaf = leaves(schema, values).find(({ path }) => path.join('.') === 'users.replicaCount');
        const render = async (_, change) => masked(await template([change], { from }));
        const found = await effect(leaf, [{ values: {}, rendered: await render(null, {}) }], render);
        return found ? [] : 'it was not found';
    });
    await check('renders that differ are found', async () => {
        const from = spoil('random', 'templates/_service.tpl', 'revisionHistoryLimit: 5', 'revisionHistoryLimit: {{ randNumeric 8 | int }}');
        const [one, other] = [canonical(await template([], { from })), canonical(await template([], { from }))];
        return one === other ? 'they count as the same' : [];
    });
    await check('a key that is there twice is found', async () => {
        const from = spoil('twice', 'templates/_service.tpl', 'revisionHistoryLimit: 5', 'revisionHistoryLimit: 5\n  revisionHistoryLimit: 5');
        // helm itself may refuse it, too
        try {
            objects(await template([], { from }));
        } catch (error) {
            return /unique|already/.test(error.message) ? [] : error.message;
        }
        return 'it was not found';
    });
}

async function smallCheckers(everything) {
    await check('broken: a policy that is missing', () => {
        const all = objects(everything).filter(({ kind, metadata }) => kind !== 'NetworkPolicy' || metadata.name !== 'plankton-nats');
        return flows(all).open.includes('nats ingress') ? [] : 'it was not found';
    });
    await check('broken: an arrow too many', () => {
        const all = objects(everything);
        find(all, 'NetworkPolicy', 'nats').spec.ingress.push({ ports: [{ port: 4222 }] });
        return flows(all).ingress.includes('* -> nats:4222') ? [] : 'it was not found';
    });
    await check('broken: values that are taken, or refused for another reason', async () => [
        ...((await refusal([{}], 'any'))[0] === 'it was taken' ? [] : ['it was not found']),
        ...((await refusal([{ gatway: {} }], 'replicaCount'))[0]?.startsWith('it says') ? [] : ['another reason was not found']),
    ]);
    await check('broken: golden files that are missing or stale', () => {
        const path = join(scratch, 'golden');
        const missing = golden(path, 'one\n', false);
        golden(path, 'one\n', true);
        const seen = [missing.includes('is missing'), golden(path, 'one\n', false).length === 0, golden(path, 'two\n', false)[1]?.includes('+two')];
        return seen.every(Boolean) ? [] : JSON.stringify(seen);
    });
    await check('broken: secrets that an upgrade makes anew', async () => {
        const from = spoil('no-lookup', 'templates/_secrets.tpl', 'else if $old', 'else if false');
        const secrets = (text) => objects(text).filter(({ kind }) => kind === 'Secret').map(({ data }) => data);
        const before = objects(everything).filter(({ kind }) => kind === 'Secret');
        const [right, wrong] = await withSecrets(before, (kubeconfig) => Promise.all([template([], { kubeconfig }), template([], { kubeconfig, from })]));
        const kept = before.map(({ data }) => data);
        return isDeepStrictEqual(secrets(right), kept) && !isDeepStrictEqual(secrets(wrong), kept) ? [] : 'it was not found';
    });
}

export async function checkTheCheckers(schema, text) {
    const values = yaml.parse(text);
    const everything = await template([{ httpRoute: { enabled: true, parentRefs: [{ name: 'public' }] }, metrics: { serviceMonitor: { enabled: true } } }]);
    for (const [rule, spoilIt, said] of rows)
        await check(`broken: ${rule}: ${said}`, () => {
            const all = objects(everything);
            if (rules[rule](all).length > 0) return ['the render is broken before', ...rules[rule](all)];
            spoilIt(all);
            const found = rules[rule](all);
            return found.some((mistake) => mistake.includes(said)) ? [] : [`not found; instead: ${found.join('; ') || 'nothing'}`];
        });
    await check('broken: keys of values and schema', () => {
        const { tests, ...without } = values;
        const found = disagreements(schema, { ...without, extra: 1 }, []);
        return ['extra is not in the schema', 'tests is not in values.yaml'].filter((said) => !found.includes(said));
    });
    await check('broken: a comment that is missing', () => {
        const spoiled = text.replace('# Port of the Service\n', '\n');
        try {
            reference(spoiled);
        } catch (error) {
            return error.message.includes('gateway.service.port has no comment') ? [] : error.message;
        }
        return 'it was not found';
    });
    await check('every leaf of values has its comment', () => {
        const known = comments(text).map(({ path }) => path.join('.'));
        return leaves(schema, values).map(({ path }) => path.join('.'))
            .filter((path) => !known.some((one) => path === one || path.startsWith(`${one}.`)));
    });
    await smallCheckers(everything);
    await spoiledCharts(schema, text);
}
