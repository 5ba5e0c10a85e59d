// What objects of one render say of one another: names that lead nowhere, selectors that select nothing.
import { containersOf, podOf } from './pods.mjs';

const nameOf = (object) => `${object.kind}/${object.metadata.name}`;
const selects = (labels, selector) => Object.entries(selector).every(([key, value]) => labels?.[key] === value);

function* usedBy(pod) {
    for (const container of containersOf(pod)) {
        for (const { valueFrom } of container.env ?? []) {
            if (valueFrom?.secretKeyRef) yield ['Secret', valueFrom.secretKeyRef.name, valueFrom.secretKeyRef.key];
            if (valueFrom?.configMapKeyRef) yield ['ConfigMap', valueFrom.configMapKeyRef.name, valueFrom.configMapKeyRef.key];
        }
        for (const from of container.envFrom ?? []) {
            if (from.configMapRef) yield ['ConfigMap', from.configMapRef.name];
            if (from.secretRef) yield ['Secret', from.secretRef.name];
        }
    }
    for (const volume of pod.spec.volumes ?? []) {
        if (volume.configMap) yield ['ConfigMap', volume.configMap.name];
        if (volume.secret) yield ['Secret', volume.secret.secretName];
    }
    yield ['ServiceAccount', pod.spec.serviceAccountName];
}

function portNumber(pods, port) {
    if (typeof port === 'number') return port;
    return pods.flatMap(containersOf).flatMap(({ ports }) => ports ?? []).find(({ name }) => name === port)?.containerPort;
}

// given: names of objects that others bring ("Secret/mine").
export function referenceMistakes(all, given = []) {
    const found = [];
    const byName = new Map();
    for (const object of all) {
        if (byName.has(nameOf(object))) found.push(`${nameOf(object)} is there twice`);
        byName.set(nameOf(object), object);
    }
    const pods = all.filter((object) => podOf(object)).map((object) => ({ object, ...podOf(object) }));
    for (const { object, ...pod } of pods) {
        for (const [kind, name, key] of usedBy(pod)) {
            const target = byName.get(`${kind}/${name}`);
            if (given.includes(`${kind}/${name}`)) continue;
            if (!target) found.push(`${nameOf(object)}: ${kind}/${name} is not there`);
            else if (key && !(key in (target.data ?? {}))) found.push(`${nameOf(object)}: ${kind}/${name} has no key ${key}`);
        }
        const selector = object.spec.selector?.matchLabels;
        if (selector && !selects(pod.metadata.labels, selector)) found.push(`${nameOf(object)}: its selector is not that of its pods`);
    }
    const running = pods.filter(({ object }) => object.kind !== 'Pod');
    for (const object of all) {
        const { spec = {} } = object;
        const selector = { Service: spec.selector, PodDisruptionBudget: spec.selector?.matchLabels,
            NetworkPolicy: spec.podSelector?.matchLabels }[object.kind];
        if (!selector) continue;
        const selected = (object.kind === 'NetworkPolicy' ? pods : running).filter(({ metadata }) => selects(metadata.labels, selector));
        const owners = new Set(selected.filter((pod) => pod.object.kind !== 'Pod').map((pod) => nameOf(pod.object)));
        if (selected.length === 0) found.push(`${nameOf(object)}: selects no pod`);
        if (owners.size > 1) found.push(`${nameOf(object)}: selects pods of ${[...owners].join(', ')}`);
        if (object.kind === 'Service')
            for (const port of spec.ports)
                if (!portNumber(selected, port.targetPort)) found.push(`${nameOf(object)}: port ${port.targetPort} is not there`);
    }
    return found;
}
