// Whether the services take the settings and routes that are rendered for them: the binaries themselves say so (`config`).
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, scratch } from './helm.mjs';
import { containersOf, podOf } from './pods.mjs';

const binary = (name) => join(root, 'build/debug/bin', name);
export const built = () => ['gateway', 'auth', 'users'].every((name) => existsSync(binary(name)));

const find = (all, kind, name) => all.find((object) => object.kind === kind && object.metadata.name === name);
const someSecret = { 'key-encryption-key': '00'.repeat(32), email: 'admin@example.com' };

function secretValue(all, { name, key }) {
    const value = find(all, 'Secret', name)?.data?.[key];
    return value ? Buffer.from(value, 'base64').toString() : (someSecret[key] ?? 'p-of-somebody-else');
}

// The environment as the kubelet makes it.
function environment(all, container) {
    const env = {};
    for (const { configMapRef } of container.envFrom ?? []) Object.assign(env, find(all, 'ConfigMap', configMapRef?.name)?.data);
    for (const { name, value, valueFrom } of container.env ?? [])
        env[name] = valueFrom ? secretValue(all, valueFrom.secretKeyRef)
            : value.replace(/\$\((\w+)\)/g, (reference, used) => env[used] ?? reference);
    return env;
}

const run = (path, args, env) => new Promise((done) => {
    execFile(path, args, { env, cwd: scratch }, (error, stdout, stderr) => done(error ? `${error.code}: ${stderr}` : null));
});

// What a file has that a setting names; throws when nothing is mounted there. Files of Secrets are not looked into.
function contentOf(all, pod, container, path) {
    const mount = (container.volumeMounts ?? []).find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    if (!mount) throw new Error(`${container.name}: ${path} is mounted nowhere`);
    const { configMap, secret } = pod.spec.volumes.find((volume) => volume.name === mount.name);
    const file = path.slice(mount.mountPath.length + 1);
    if (configMap) return find(all, 'ConfigMap', configMap.name).data[file];
    if (secret.items && !secret.items.some((item) => item.path === file)) throw new Error(`${container.name}: ${path} is not of the Secret`);
    return '';
}

// all: the objects of a render. Every container of a service, and of the tests, is tried.
export async function settingsMistakes(all) {
    const found = [];
    for (const object of all) {
        const pod = podOf(object);
        for (const container of pod ? containersOf(pod) : []) {
            const [, name] = container.image.match(/plankton\/(gateway|auth|users)[:@]/) ?? [];
            if (!name) continue;
            const env = environment(all, container);
            for (const [setting, path] of Object.entries(env).filter(([, value]) => value.startsWith('/etc/plankton/'))) {
                env[setting] = join(scratch, setting);
                writeFileSync(env[setting], contentOf(all, pod, container, path));
            }
            const said = await run(binary(name), ['config'], env);
            if (said) found.push(`${object.kind}/${object.metadata.name}: ${container.name}: ${said}`);
        }
    }
    return found;
}
