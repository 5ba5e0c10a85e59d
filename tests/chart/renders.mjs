// What holds for every render: types, Pod Security, references, and how services stop.
import { readFileSync } from 'node:fs';
import { canonical, helm, chart, objects, template } from './helm.mjs';
import { containersOf, houseMistakes, podOf, restrictedMistakes } from './pods.mjs';
import { referenceMistakes } from './references.mjs';
import { typeMistakes } from './types.mjs';

// Objects that the values files say somebody else brings.
const given = [...readFileSync(new URL('given.txt', import.meta.url), 'utf8').matchAll(/^[A-Z].*$/gm)].map(([name]) => name);

const isService = ({ metadata }) => /-(gateway|auth|users)$/.test(metadata.name);
const seconds = (data) => (Number(data.SHUTDOWN_LAME_DUCK_MS) + Number(data.SHUTDOWN_DRAIN_MS)) / 1000;

function* lifeMistakes(all) {
    for (const object of all.filter((each) => each.kind === 'Deployment' && isService(each))) {
        const { name } = object.metadata;
        const { spec } = object.spec.template;
        const settings = all.find((each) => each.kind === 'ConfigMap' && each.metadata.name === name).data;
        if (spec.terminationGracePeriodSeconds < seconds(settings) + 5) yield `${name}: killed while it drains`;
        if (object.spec.strategy.rollingUpdate.maxUnavailable !== 0) yield `${name}: a rolling update takes pods away`;
        const [container] = spec.containers;
        const probes = { startupProbe: '/livez', livenessProbe: '/livez', readinessProbe: '/readyz' };
        for (const [probe, path] of Object.entries(probes))
            if (container[probe]?.httpGet?.path !== path || container[probe].httpGet.port !== 'admin') yield `${name}: no ${probe} of ${path}`;
        const migrates = spec.initContainers?.some(({ args }) => args[0] === 'migrate') ?? false;
        if (migrates === name.endsWith('-gateway')) yield `${name}: migrates, or does not, the wrong way round`;
    }
}

// A budget never blocks the drain of a single pod.
function* budgetMistakes(all) {
    for (const budget of all.filter(({ kind }) => kind === 'PodDisruptionBudget')) {
        const { name } = budget.metadata;
        const of = (kind) => all.find((each) => each.kind === kind && each.metadata.name === name);
        const pods = of('HorizontalPodAutoscaler')?.spec.minReplicas ?? of('Deployment').spec.replicas;
        const { minAvailable, maxUnavailable } = budget.spec;
        const mayGo = minAvailable === undefined
            ? (String(maxUnavailable).endsWith('%') ? 1 : maxUnavailable)
            : pods - (String(minAvailable).endsWith('%') ? Math.ceil((pods * parseInt(minAvailable, 10)) / 100) : minAvailable);
        if (pods > 0 && mayGo < 1) yield `${name}: with ${pods} pods none can be drained`;
    }
}

function* secretMistakes(all) {
    for (const object of all) {
        if (object.kind === 'Secret' && object.metadata.annotations?.['helm.sh/resource-policy'] !== 'keep')
            yield `${object.metadata.name}: would go with the release`;
        if (object.kind === 'ServiceAccount' && object.automountServiceAccountToken !== false)
            yield `${object.metadata.name}: its token is mounted`;
    }
}

export const rules = {
    types: (all) => all.flatMap(typeMistakes),
    restricted: (all) => all.flatMap(restrictedMistakes),
    pods: (all) => all.flatMap(houseMistakes),
    references: (all) => referenceMistakes(all, given),
    life: (all) => [...lifeMistakes(all)],
    budgets: (all) => [...budgetMistakes(all)],
    secrets: (all) => [...secretMistakes(all)],
};

export const podTemplates = (text) => Object.fromEntries(objects(text)
    .filter((object) => object.kind !== 'Pod' && podOf(object))
    .map((object) => [object.metadata.name, podOf(object)]));

export const images = (all) => [...new Set(all.map(podOf).filter(Boolean).flatMap(containersOf).map(({ image }) => image))].sort();

// {text, again, all}: two renders of a values file, and helm lint of it.
export async function renderTwice(file) {
    const [text, again, lint] = await Promise.all([template([file]), template([file]),
        helm('lint', '--strict', '--quiet', chart, '-f', file).then(() => [], (error) => [error.message])]);
    return { text, again, lint, all: objects(text), golden: canonical(text) };
}
