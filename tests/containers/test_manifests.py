"""What the harness makes of Kubernetes' YAML, without a container."""
import base64
import os
import struct

import pytest

import manifests
import pods
import services

OBJECTS = {
    "ConfigMap": {"settings": {"data": {"LEVEL": "info", "WAY": "north"}}, "empty": {}},
    "Secret": {"passwords": {"data": {"auth": base64.b64encode(b"s3cret").decode()}}},
}


def ref(kind, name, key, **more):
    return {"valueFrom": {kind: {"name": name, "key": key, **more}}}


@pytest.mark.parametrize("text, expected", [
    ("nats://auth:$(PASSWORD)@nats", "nats://auth:s3cret@nats"),
    ("$(PASSWORD)$(PASSWORD)", "s3crets3cret"),
    ("$(NOBODY)", "$(NOBODY)"),
    ("$$(PASSWORD)", "$(PASSWORD)"),
    ("$$$(PASSWORD)", "$s3cret"),
    ("$PASSWORD and $(PASSWORD", "$PASSWORD and $(PASSWORD"),
    ("", ""),
])
def test_expand(text, expected):
    assert manifests.expand(text, {"PASSWORD": "s3cret"}) == expected


@pytest.mark.parametrize("container, expected", [
    ({}, {}),
    ({"envFrom": [{"configMapRef": {"name": "settings"}}]}, {"LEVEL": "info", "WAY": "north"}),
    ({"envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}}]},
     {"P_LEVEL": "info", "P_WAY": "north"}),
    ({"envFrom": [{"configMapRef": {"name": "empty"}}]}, {}),
    ({"envFrom": [{"secretRef": {"name": "away", "optional": True}}]}, {}),
    # env wins over envFrom, and what comes first can be named by what comes later
    ({"envFrom": [{"configMapRef": {"name": "settings"}}],
      "env": [{"name": "LEVEL", "value": "$(LEVEL)+"}]}, {"LEVEL": "info+", "WAY": "north"}),
    ({"env": [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"},
              {"name": "C", "value": "$(A)"}]}, {"B": "$(A)", "A": "1", "C": "1"}),
    ({"env": [{"name": "A", **ref("secretKeyRef", "passwords", "auth")}]}, {"A": "s3cret"}),
    ({"env": [{"name": "A", **ref("configMapKeyRef", "settings", "LEVEL")}]}, {"A": "info"}),
    ({"env": [{"name": "A", **ref("configMapKeyRef", "settings", "none", optional=True)}]}, {}),
    ({"env": [{"name": "A"}]}, {"A": ""}),
])
def test_environment(container, expected):
    assert manifests.environment(container, OBJECTS) == expected


@pytest.mark.parametrize("container", [
    {"envFrom": [{"configMapRef": {"name": "away"}}]},
    {"env": [{"name": "A", **ref("secretKeyRef", "passwords", "none")}]},
    {"env": [{"name": "A", **ref("secretKeyRef", "away", "auth")}]},
])
def test_environment_refused(container):
    with pytest.raises(manifests.Refused):
        manifests.environment(container, OBJECTS)


POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  automountServiceAccountToken: false
  containers:
    - name: one
      image: one:1
"""


@pytest.mark.parametrize("more, where", [
    ("      lifecycle: {preStop: {sleep: {seconds: 5}}}", "lifecycle"),
    ("      imagePullPolicy: Always", "imagePullPolicy"),
    ("      securityContext: {privileged: true}", "privileged"),
    ("      securityContext: {capabilities: {add: [NET_ADMIN]}}", "add"),
    ("      securityContext: {capabilities: {drop: [CHOWN]}}", "drop"),
    ("      volumeMounts: [{name: a, mountPath: /a, subPath: b}]", "subPath"),
    ("      readinessProbe: {grpc: {port: 1}}", "grpc"),
    ("      resources: {limits: {nvidia.com/gpu: 1}}", "gpu"),
    ("  hostNetwork: true", "hostNetwork"),
    ("  enableServiceLinks: true", "enableServiceLinks"),
    ("  volumes: [{name: a, emptyDir: {medium: Memory}}]", "medium"),
    ("  volumes: [{name: a, hostPath: {path: /}}]", "hostPath"),
    ("  securityContext: {seccompProfile: {type: Unconfined}}", "seccompProfile"),
    ("---\nkind: Job\nmetadata: {name: two}", "Job"),
])
def test_what_is_not_understood_is_refused(more, where):
    assert "one" in manifests.read(POD)["Pod"]
    with pytest.raises(manifests.Refused, match=where):
        manifests.read(POD + more)


def test_run_options():
    pod = {"securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532,
                               "fsGroup": 7, "seccompProfile": {"type": "RuntimeDefault"}}}
    container = {
        "name": "c", "image": "i:1", "args": ["serve", "$(WAY)"],
        "env": [{"name": "WAY", "value": "north"}],
        "resources": {"limits": {"cpu": "500m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]}}}
    options, command = manifests.run_options(pod, container, OBJECTS)
    assert " ".join(options) == (
        "--user 65532:65532 --group-add 7 --read-only --security-opt no-new-privileges "
        "--cap-drop ALL --memory 33554432 --memory-swap 33554432 --cpus 0.5 --env WAY=north")
    assert command == ["i:1", "serve", "north"]


def test_run_options_of_a_careless_container():
    """Kubernetes' defaults are not Docker's."""
    container = {"name": "c", "image": "i:1", "command": ["/a", "b"]}
    options, command = manifests.run_options({}, container, OBJECTS)
    assert options == ["--security-opt", "seccomp=unconfined", "--entrypoint", "/a"]
    assert command == ["i:1", "b"]


def test_run_as_non_root_wants_a_user():
    pod = {"securityContext": {"runAsNonRoot": True}}
    with pytest.raises(manifests.Refused, match="runAsNonRoot"):
        manifests.run_options(pod, {"name": "c", "image": "i:1"}, OBJECTS)


@pytest.mark.parametrize("volume, expected", [
    ({"configMap": {"name": "settings"}}, {"LEVEL": "info", "WAY": "north"}),
    ({"configMap": {"name": "settings", "items": [{"key": "WAY", "path": "to/way"}]}},
     {"to/way": "north"}),
    ({"secret": {"secretName": "passwords"}}, {"auth": "s3cret"}),
    ({"emptyDir": {}}, None),
])
def test_files_of(volume, expected):
    assert manifests.files_of(volume, OBJECTS) == expected


def test_files_are_replaced_at_once(tmp_path):
    pods.write_files(tmp_path, {"a": "1", "d/b": "2"})
    assert (tmp_path / "a").read_text() == "1" and (tmp_path / "d/b").read_text() == "2"
    first = os.readlink(tmp_path / "..data")
    assert os.readlink(tmp_path / "a") == "..data/a"
    pods.write_files(tmp_path, {"a": "3", "c": "4"})
    assert (tmp_path / "a").read_text() == "3" and (tmp_path / "c").read_text() == "4"
    assert os.readlink(tmp_path / "..data") != first
    assert not (tmp_path / first).exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["a", "c"]


@pytest.mark.parametrize("quantity, expected", [
    ("32Mi", 33554432), ("1G", 10**9), ("512", 512), (64, 64)])
def test_bytes(quantity, expected):
    assert manifests.bytes_of(quantity) == expected


@pytest.mark.parametrize("quantity, expected", [("1", 1), ("250m", 0.25), (2, 2), ("0.5", 0.5)])
def test_cpus(quantity, expected):
    assert manifests.cpus_of(quantity) == expected


@pytest.mark.parametrize("selector, labels, expected", [
    ({"a": "1"}, {"a": "1", "b": "2"}, True),
    ({"a": "1", "b": "2"}, {"a": "1"}, False),
    ({"a": "1"}, {"a": "2"}, False),
    ({}, {"a": "1"}, False),
])
def test_matches(selector, labels, expected):
    assert manifests.matches(selector, labels) is expected


# --- services -------------------------------------------------------------------------------------

@pytest.mark.parametrize("addresses, expected", [
    ([], ""),
    (["10.0.0.1"], "numgen random mod 1 map { 0 : 10.0.0.1 }:8080\n"),
    (["10.0.0.1", "10.0.0.2"], "numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }:8080\n"),
])
def test_rule(addresses, expected):
    said = services.rule("tcp dport 80", 8080, addresses)
    assert said == (expected and "add rule ip plankton services tcp dport 80 dnat to " + expected)


def query(name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    head = struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0)
    return head + labels + b"\0" + struct.pack("!HH", kind, 1)


@pytest.mark.parametrize("kind, found, status, addresses", [
    (1, ["1.2.3.4"], 0, 1),
    (1, ["1.2.3.4", "1.2.3.5"], 0, 2),
    (1, [], 0, 0),
    (28, ["1.2.3.4"], 0, 0),
    (1, None, 3, 0),
])
def test_names(kind, found, status, addresses):
    asked = query("auth.plankton", kind)
    said = services.answer(asked, {"auth.plankton": found}.get)
    head = struct.unpack("!HHHHHH", said[:12])
    assert head == (0x1234, 0x8180 | status, 1, addresses, 0, 0)
    assert said[12:len(asked)] == asked[12:]
    assert len(said) == len(asked) + 16 * addresses
