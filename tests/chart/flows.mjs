// What NetworkPolicies let through: the arrows of the architecture, and no other.
import { podOf } from './pods.mjs';

const part = (labels) => labels['app.kubernetes.io/component'];
const selects = (labels, selector) => Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
    && !selector?.matchExpressions;

// Parts (of the chart's own pods) that a list of peers names; '*' for everyone, else what it says of others.
function peers(list, pods) {
    if (!list || list.length === 0) return ['*'];
    return list.flatMap((peer) => {
        if (!peer.podSelector || peer.namespaceSelector) return [JSON.stringify(peer)];
        return pods.filter((labels) => selects(labels, peer.podSelector)).map(part);
    });
}

const ports = (rule) => (rule.ports ?? [{ port: '*' }]).map(({ port, protocol }) => (protocol === 'UDP' ? `${port}/udp` : `${port}`));

// {ingress: ["gateway -> users:8080", ...], egress: [...], open: [parts that some direction does not isolate]}
export function flows(all) {
    const pods = all.map(podOf).filter(Boolean).map(({ metadata }) => metadata.labels);
    const result = { ingress: new Set(), egress: new Set(), open: new Set() };
    for (const labels of pods) {
        const mine = all.filter(({ kind, spec }) => kind === 'NetworkPolicy' && selects(labels, spec.podSelector));
        for (const [type, direction, key] of [['Ingress', 'ingress', 'from'], ['Egress', 'egress', 'to']]) {
            const isolating = mine.filter(({ spec }) => spec.policyTypes.includes(type));
            if (isolating.length === 0) result.open.add(`${part(labels)} ${direction}`);
            for (const rule of isolating.flatMap(({ spec }) => spec[direction] ?? []))
                for (const other of peers(rule[key], pods))
                    for (const port of ports(rule))
                        result[direction].add(direction === 'ingress' ? `${other} -> ${part(labels)}:${port}` : `${part(labels)} -> ${other}:${port}`);
        }
    }
    return Object.fromEntries(Object.entries(result).map(([name, set]) => [name, [...set].sort()]));
}
