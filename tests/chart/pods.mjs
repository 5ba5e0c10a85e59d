// Pods: where they are in an object, the Pod Security Standard "restricted" (v1.34), and house rules.

export function podOf(object) {
    if (object.kind === 'Pod') return object;
    return object.spec?.template?.spec?.containers ? object.spec.template : null;
}

export const containersOf = (pod) =>
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])];

const volumeKinds = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];
const seccomp = (context) => context?.seccompProfile?.type;
const allowedSysctls = ['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start',
    'net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time',
    'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes'];

function* podRules({ spec }) {
    const context = spec.securityContext ?? {};
    for (const name of ['hostNetwork', 'hostPID', 'hostIPC']) if (spec[name]) yield `${name} is set`;
    for (const volume of spec.volumes ?? []) {
        const kind = Object.keys(volume).find((key) => key !== 'name');
        if (!volumeKinds.includes(kind)) yield `volume ${volume.name} is a ${kind}`;
    }
    for (const { name } of context.sysctls ?? []) if (!allowedSysctls.includes(name)) yield `sysctl ${name}`;
    if (context.runAsNonRoot === false) yield 'runAsNonRoot is false';
    if (context.runAsUser === 0) yield 'runAsUser is 0';
    if (context.windowsOptions?.hostProcess) yield 'hostProcess is set';
    yield* profiles(context);
}

function* profiles(context) {
    const type = seccomp(context);
    if (type && !['RuntimeDefault', 'Localhost'].includes(type)) yield `seccompProfile is ${type}`;
    const armour = context.appArmorProfile?.type;
    if (armour && !['RuntimeDefault', 'Localhost'].includes(armour)) yield `appArmorProfile is ${armour}`;
    const selinux = context.seLinuxOptions ?? {};
    if (!['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'].includes(selinux.type ?? ''))
        yield `seLinuxOptions.type is ${selinux.type}`;
    if (selinux.user || selinux.role) yield 'seLinuxOptions has a user or a role';
}

function* containerRules(container, { spec }) {
    const context = container.securityContext ?? {};
    const pod = spec.securityContext ?? {};
    if (context.privileged) yield 'privileged is set';
    if (context.allowPrivilegeEscalation !== false) yield 'allowPrivilegeEscalation is not false';
    if (!context.capabilities?.drop?.includes('ALL')) yield 'not all capabilities are dropped';
    for (const added of context.capabilities?.add ?? []) if (added !== 'NET_BIND_SERVICE') yield `capability ${added} is added`;
    if ((context.runAsNonRoot ?? pod.runAsNonRoot) !== true) yield 'runAsNonRoot is not true';
    if (context.runAsUser === 0) yield 'runAsUser is 0';
    if (!['RuntimeDefault', 'Localhost'].includes(seccomp(context) ?? seccomp(pod))) yield 'no seccompProfile';
    if (context.procMount && context.procMount !== 'Default') yield `procMount is ${context.procMount}`;
    if (context.windowsOptions?.hostProcess) yield 'hostProcess is set';
    for (const port of container.ports ?? []) if (port.hostPort) yield `hostPort ${port.hostPort}`;
    for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe'])
        for (const handler of ['httpGet', 'tcpSocket']) if (container[kind]?.[handler]?.host) yield `${kind} names a host`;
    yield* profiles(context);
}

// What the standard "restricted" forbids.
export function restrictedMistakes(object) {
    const pod = podOf(object);
    if (!pod) return [];
    const place = `${object.kind}/${object.metadata.name}`;
    return [
        ...[...podRules(pod)].map((text) => `${place}: ${text}`),
        ...containersOf(pod).flatMap((container) =>
            [...containerRules(container, pod)].map((text) => `${place}: container ${container.name}: ${text}`)),
    ];
}

function twice(names) {
    return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

const references = (text) => [...(text ?? '').matchAll(/(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g)].map(([, name]) => name);

function* houseRules(pod) {
    if (pod.spec.automountServiceAccountToken !== false) yield 'a ServiceAccount token is mounted';
    if (pod.spec.enableServiceLinks !== false) yield 'service links are on';
    const volumes = (pod.spec.volumes ?? []).map(({ name }) => name);
    for (const name of twice(volumes)) yield `volume ${name} is there twice`;
    const mounted = new Set();
    for (const container of containersOf(pod)) {
        const env = container.env ?? [];
        for (const name of twice(env.map((entry) => entry.name))) yield `container ${container.name}: env ${name} is there twice`;
        for (const [index, { name, value }] of env.entries())
            for (const used of references(value))
                if (!env.slice(0, index).some((before) => before.name === used))
                    yield `container ${container.name}: env ${name} uses $(${used}), which is not set before it`;
        if (container.securityContext?.readOnlyRootFilesystem !== true) yield `container ${container.name}: its root can be written`;
        if (!container.resources?.limits?.memory) yield `container ${container.name}: no limit of memory`;
        for (const path of twice((container.volumeMounts ?? []).map(({ mountPath }) => mountPath)))
            yield `container ${container.name}: ${path} is mounted twice`;
        for (const mount of container.volumeMounts ?? []) {
            if (mount.subPath) yield `container ${container.name}: subPath hides changes of ${mount.name}`;
            mounted.add(mount.name);
        }
    }
    for (const name of volumes) if (!mounted.has(name)) yield `volume ${name} is mounted nowhere`;
}

// Claims of a StatefulSet are volumes, too.
const claims = (object) => (object.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);

export function houseMistakes(object) {
    const pod = podOf(object);
    if (!pod) return [];
    const known = new Set([...(pod.spec.volumes ?? []).map(({ name }) => name), ...claims(object)]);
    const unknown = containersOf(pod).flatMap((container) => (container.volumeMounts ?? [])
        .filter(({ name }) => !known.has(name)).map(({ name }) => `volume ${name} is not there`));
    return [...houseRules(pod), ...unknown].map((text) => `${object.kind}/${object.metadata.name}: ${text}`);
}
