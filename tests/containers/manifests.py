"""Kubernetes' objects, read strictly: a field that nothing here acts on is an error, so that what
runs is what the YAML says, and a chart that asks for more is not tried as if it asked for less."""
import base64
import re

import yaml

ANY = ...


class Refused(Exception):
    pass


# What is understood. A mapping has these fields and no others, a list has such items, a set names
# the only values that are known to be right, ANY is taken as it is.
PORT = {"name": ANY, "containerPort": ANY, "protocol": {"TCP"}}
REF = {"name": ANY, "key": ANY, "optional": ANY}
PROBE = {
    "httpGet": {"path": ANY, "port": ANY}, "tcpSocket": {"port": ANY}, "exec": {"command": [ANY]},
    "initialDelaySeconds": ANY, "periodSeconds": ANY, "timeoutSeconds": ANY,
    "failureThreshold": ANY}
SECURITY = {"runAsNonRoot": ANY, "runAsUser": ANY, "runAsGroup": ANY,
            "seccompProfile": {"type": {"RuntimeDefault"}}}
INIT_CONTAINER = {
    "name": ANY, "image": ANY, "command": [ANY], "args": [ANY],
    "imagePullPolicy": {"IfNotPresent", "Never"},  # the images are there
    "env": [{"name": ANY, "value": ANY,
             "valueFrom": {"configMapKeyRef": REF, "secretKeyRef": REF}}],
    "envFrom": [{"prefix": ANY, "configMapRef": REF, "secretRef": REF}],
    "volumeMounts": [{"name": ANY, "mountPath": ANY, "readOnly": ANY}],
    "resources": {"requests": ANY,  # for a scheduler
                  "limits": {"cpu": ANY, "memory": ANY}},
    "securityContext": {**SECURITY, "allowPrivilegeEscalation": {True, False},
                        "readOnlyRootFilesystem": {True, False},
                        "capabilities": {"drop": [{"ALL"}]}}}
CONTAINER = {**INIT_CONTAINER, "ports": [PORT], "startupProbe": PROBE, "readinessProbe": PROBE,
             "livenessProbe": PROBE}
FILES = {"name": ANY, "secretName": ANY, "items": [{"key": ANY, "path": ANY}]}
POD = {
    "initContainers": [INIT_CONTAINER], "containers": [CONTAINER],
    "volumes": [{"name": ANY, "configMap": FILES, "secret": FILES, "emptyDir": {},
                 "persistentVolumeClaim": {"claimName": ANY}}],
    "securityContext": {**SECURITY, "fsGroup": ANY, "fsGroupChangePolicy": {"OnRootMismatch"}},
    "restartPolicy": {"Always", "Never"}, "terminationGracePeriodSeconds": ANY,
    "automountServiceAccountToken": {False}, "enableServiceLinks": {False},
    # There is no API server to be somebody for, and one node.
    "serviceAccountName": ANY, "topologySpreadConstraints": ANY}
META = {"name": ANY, "namespace": ANY, "labels": ANY, "annotations": ANY}
TEMPLATE = {"metadata": META, "spec": POD}
CONTROLLER = {
    "replicas": ANY, "selector": {"matchLabels": ANY}, "template": TEMPLATE,
    "revisionHistoryLimit": ANY}  # no revision but the one
CLAIM = {"metadata": META, "spec": {"accessModes": [{"ReadWriteOnce"}], "resources": ANY}}
KINDS = {
    "ConfigMap": {"data": ANY},
    "Secret": {"data": ANY, "type": {"Opaque"}},
    "Service": {"spec": {
        "type": {"ClusterIP"}, "clusterIP": {"None"}, "selector": ANY,
        "ports": [{"name": ANY, "port": ANY, "targetPort": ANY, "protocol": {"TCP"}}]}},
    "Deployment": {"spec": {**CONTROLLER, "strategy": {
        "rollingUpdate": {"maxSurge": {"25%", 1}, "maxUnavailable": {0}}}}},
    "StatefulSet": {"spec": {**CONTROLLER, "serviceName": ANY, "volumeClaimTemplates": [CLAIM]}},
    "Pod": {"spec": POD},
}
# Of those who act on them there is none here: tests/cluster has them.
IDLE = {"NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"}


def check(value, known, where):
    if known is ANY:
        return
    if isinstance(known, set):
        if value not in known:
            raise Refused(f"{where}: {value!r} is none of {sorted(map(str, known))}")
    elif isinstance(known, list):
        if not isinstance(value, list):
            raise Refused(f"{where}: not a list")
        for i, item in enumerate(value):
            check(item, known[0], f"{where}[{i}]")
    else:
        if not isinstance(value, dict):
            raise Refused(f"{where}: not a mapping")
        for key in value:
            if key not in known:
                raise Refused(f"{where}.{key}: not understood")
            check(value[key], known[key], f"{where}.{key}")


def read(text):
    """The objects, by kind and name."""
    objects = {kind: {} for kind in KINDS}
    for item in yaml.safe_load_all(text):
        if not item or item["kind"] in IDLE:
            continue
        kind, name = item["kind"], item["metadata"]["name"]
        if kind not in KINDS:
            raise Refused(f"{kind} {name}: of a kind that is not understood")
        known = {"apiVersion": ANY, "kind": ANY, "metadata": META, **KINDS[kind]}
        check(item, known, f"{kind} {name}")
        objects[kind][name] = item
    return objects


def contents(objects, kind, name, is_optional=False):
    """The data of a ConfigMap or Secret, as text."""
    item = objects[kind].get(name)
    if item is None:
        if is_optional:
            return {}
        raise Refused(f"{kind} {name}: is not there")
    data = item.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
    return data


# --- environment ----------------------------------------------------------------------------------

def expand(text, variables):
    """$(NAME) of a variable that is known; others stay as they are, and $$ is a $."""
    def replace(match):
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])
    return re.sub(r"\$\$|\$\(([^)]*)\)", replace, text)


def value_of(source, objects):
    """None: it is optional, and not there."""
    (kind, ref), = source.items()
    data = contents(objects, {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}[kind],
                    ref["name"], ref.get("optional"))
    if ref["key"] not in data and not ref.get("optional"):
        raise Refused(f"{kind} {ref['name']}: has no key {ref['key']}")
    return data.get(ref["key"])


def environment(container, objects):
    variables = {}
    for source in container.get("envFrom", []):
        prefix = source.get("prefix", "")
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in source:
                ref = source[field]
                data = contents(objects, kind, ref["name"], ref.get("optional"))
                variables.update((prefix + key, value) for key, value in data.items())
    for entry in container.get("env", []):
        if "valueFrom" in entry:
            value = value_of(entry["valueFrom"], objects)
        else:
            value = expand(str(entry.get("value", "")), variables)
        if value is not None:
            variables[entry["name"]] = value
    return variables


# --- containers -----------------------------------------------------------------------------------

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)(\w*)", str(quantity)).groups()
    return int(number) * UNITS[unit]


def cpus_of(quantity):
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def port_number(container, port):
    """Of a port by its name or number."""
    if isinstance(port, int):
        return port
    for known in container.get("ports", []):
        if known.get("name") == port:
            return known["containerPort"]
    raise Refused(f"container {container['name']}: has no port {port}")


def run_options(pod, container, objects):
    """What `docker run` is given for a container, but for its place among others and its volumes:
    options; image and command."""
    security = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
    options = []
    user, group = security.get("runAsUser"), security.get("runAsGroup")
    if security.get("runAsNonRoot") and not user:
        raise Refused(f"container {container['name']}: runAsNonRoot, and no runAsUser says who")
    if user is not None:
        options += ["--user", f"{user}:{group if group is not None else 0}"]
    if "fsGroup" in security:
        options += ["--group-add", str(security["fsGroup"])]
    if security.get("readOnlyRootFilesystem"):
        options += ["--read-only"]
    if security.get("allowPrivilegeEscalation") is False:
        options += ["--security-opt", "no-new-privileges"]
    if "seccompProfile" not in security:  # RuntimeDefault is Docker's default, but not Kubernetes'
        options += ["--security-opt", "seccomp=unconfined"]
    for capability in security.get("capabilities", {}).get("drop", []):
        options += ["--cap-drop", capability]
    limits = container.get("resources", {}).get("limits", {})
    if "memory" in limits:
        memory = str(bytes_of(limits["memory"]))
        options += ["--memory", memory, "--memory-swap", memory]
    if "cpu" in limits:
        options += ["--cpus", str(cpus_of(limits["cpu"]))]
    variables = environment(container, objects)
    for name, value in variables.items():
        options += ["--env", f"{name}={value}"]
    command = [expand(word, variables) for word in container.get("command", [])]
    if command:
        options += ["--entrypoint", command[0]]
    arguments = [expand(word, variables) for word in container.get("args", [])]
    return options, [container["image"], *command[1:], *arguments]


# --- volumes --------------------------------------------------------------------------------------

def source_of(volume):
    """(kind, name) of the object that a volume is made of, or None."""
    if "configMap" in volume:
        return "ConfigMap", volume["configMap"]["name"]
    if "secret" in volume:
        return "Secret", volume["secret"]["secretName"]
    return None


def files_of(volume, objects):
    """Path and text of each file of a ConfigMap's or Secret's volume; None for other volumes."""
    source = source_of(volume)
    if not source:
        return None
    data = contents(objects, *source)
    items = volume.get("configMap", volume.get("secret")).get("items")
    if items is None:
        return dict(data)
    return {item["path"]: data[item["key"]] for item in items}


def matches(selector, labels):
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
