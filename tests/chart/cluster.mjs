// As much of a Kubernetes API as `lookup` asks for: Secrets that are there. It listens on 127.0.0.1 for one piece of work.
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from './helm.mjs';

// Kinds of what is asked with it; helm wants to know where they would go.
const kinds = {
    v1: ['ConfigMap', 'Pod', 'Secret', 'Service', 'ServiceAccount'],
    'apps/v1': ['Deployment', 'StatefulSet'],
    'autoscaling/v2': ['HorizontalPodAutoscaler'],
    'gateway.networking.k8s.io/v1': ['HTTPRoute'],
    'networking.k8s.io/v1': ['Ingress', 'NetworkPolicy'],
    'policy/v1': ['PodDisruptionBudget'],
};
const plural = (kind) => (kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`).toLowerCase();
const resourceList = (groupVersion) => ({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: kinds[groupVersion].map((kind) =>
    ({ name: plural(kind), singularName: kind.toLowerCase(), namespaced: true, kind, verbs: ['get', 'list'] })) });
const groups = Object.keys(kinds).filter((groupVersion) => groupVersion !== 'v1').map((groupVersion) => {
    const [name, version] = groupVersion.split('/');
    return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
});
const notFound = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 };

// By which helm takes an object again that an uninstall has left.
const owned = {
    namespace: 'plankton',
    labels: { 'app.kubernetes.io/managed-by': 'Helm' },
    annotations: { 'meta.helm.sh/release-name': 'plankton', 'meta.helm.sh/release-namespace': 'plankton' },
};

function answer(path, secrets) {
    if (path === '/version') return { major: '1', minor: '34', gitVersion: 'v1.34.0' };
    if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
    if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups };
    const listed = path.match(/^\/apis?\/(.+)$/)?.[1];
    if (listed in kinds) return resourceList(listed);
    const name = path.match(/^\/api\/v1\/namespaces\/plankton\/secrets\/([^/]+)$/)?.[1];
    const secret = secrets.find(({ metadata }) => metadata.name === name);
    return secret ? { ...secret, metadata: { ...owned, name } } : notFound;
}

// work(kubeconfig), while a cluster has these Secrets.
export async function withSecrets(secrets, work) {
    const server = createServer((request, response) => {
        const body = answer(new URL(request.url, 'http://any').pathname, secrets);
        response.writeHead(body.code ?? 200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const kubeconfig = join(scratch, `kubeconfig-${server.address().port}`);
    writeFileSync(kubeconfig, JSON.stringify({
        apiVersion: 'v1', kind: 'Config', 'current-context': 'it', users: [],
        clusters: [{ name: 'it', cluster: { server: `http://127.0.0.1:${server.address().port}` } }],
        contexts: [{ name: 'it', context: { cluster: 'it', user: '' } }],
    }));
    try {
        return await work(kubeconfig);
    } finally {
        server.closeAllConnections();
        server.close();
    }
}
