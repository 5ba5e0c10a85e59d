#!/usr/bin/env python3
"""Has Tilt evaluate the Tiltfile, without a cluster, and looks at what it says. Prints
`N passed, N failed`; exit status 77 where there is no tilt or no helm.

    tiltfile.py ROOT
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = sys.argv[1]
SERVICES = ("users", "auth", "gateway")
LABELS = {
    "compile": {"toolchain", "compile-users", "compile-auth", "compile-gateway"},
    "stores": {"chart", "nats", "postgres"},
    "services": set(SERVICES),
    "tests": {"system", "unit-libs", "unit-users", "unit-auth", "unit-gateway"},
}
PORTS = {  # of ./dev up
    "gateway": {8080: 8080, 9090: 9090},
    "users": {8081: 8080, 9091: 9090},
    "auth": {8082: 8080, 9092: 9090},
    "nats": {4222: 4222},
    "postgres": {5433: 5432},
}
# Tilt refuses a Tiltfile without one; nobody answers there.
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: {context}
contexts: [{{name: {context}, context: {{cluster: {context}, user: it}}}}]
clusters: [{{name: {context}, cluster: {{server: "http://127.0.0.1:1"}}}}]
users: [{{name: it, user: {{}}}}]
"""


class Report:
    passed = failed = 0

    def check(self, name, seen, expected):
        if seen == expected:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAIL  {name}\n      {seen}\n      instead of\n      {expected}")


def evaluate(context="kind-test", *options, **env):
    """Exit status, and what Tilt prints."""
    with tempfile.NamedTemporaryFile("w") as kubeconfig:
        kubeconfig.write(KUBECONFIG.format(context=context))
        kubeconfig.flush()
        inherited = {key: value for key, value in os.environ.items()
                     if not key.startswith("PLANKTON_")}
        done = subprocess.run(
            ["tilt", "alpha", "tiltfile-result", "-f", os.path.join(ROOT, "Tiltfile"), *options],
            env={**inherited, "KUBECONFIG": kubeconfig.name, "DO_NOT_TRACK": "1", **env},
            capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout, done.stderr


def objects(manifest):
    return manifest["DeployTarget"].get("yaml", "")


def ports(manifest):
    forwards = manifest["DeployTarget"].get("portForwardTemplateSpec", {}).get("forwards", [])
    return {forward["localPort"]: forward["containerPort"] for forward in forwards}


def inside(path):
    return os.path.relpath(path, ROOT)


def check_resources(report, by_name):
    labels = {}
    for name, manifest in by_name.items():
        labels.setdefault(" ".join(manifest["Labels"] or ["none"]), set()).add(name)
    report.check("resources by their labels", labels, LABELS)
    report.check("local ports", {name: ports(by_name[name]) for name in PORTS}, PORTS)
    # 0: at once and at every change; 2: never, until it is asked to
    report.check("when they run",
                 {name: manifest["TriggerMode"] for name, manifest in by_name.items()},
                 {name: 2 if name in LABELS["tests"] else 0 for name in by_name})
    alone = {name for name, manifest in by_name.items()
             if manifest["DeployTarget"].get("AllowParallel") is False}
    report.check("what holds up everything else while it runs", alone, set())
    waits_for = {name: set(manifest["ResourceDependencies"] or [])
                 for name, manifest in by_name.items()}
    report.check("the system tests wait for", waits_for["system"], set(SERVICES))
    for store in ("nats", "postgres"):
        report.check(f"{store} waits for", waits_for[store], {"chart"})
    # A name that is not there yet is remembered as such.
    report.check("the gateway waits for", waits_for["gateway"] & set(SERVICES), {"users", "auth"})
    report.check("users and auth start together", waits_for["users"] ^ waits_for["auth"], set())
    for name in SERVICES:
        report.check(f"{name} waits for its program", f"compile-{name}" in waits_for[name], True)
        report.check(f"compile-{name} waits for", waits_for[f"compile-{name}"], {"toolchain"})


def check_images(report, by_name):
    built = {name for name, manifest in by_name.items() if manifest["ImageTargets"]}
    report.check("what has an image that is built", built, set(SERVICES))
    for name in SERVICES:
        (image,) = by_name[name]["ImageTargets"]
        report.check(f"image of {name}", image["selector"], f"plankton/{name}")
        report.check(f"{name} is built of its program alone",
                     inside(image["BuildDetails"]["context"]), f"build/tilt/{name}")
        compile_ = by_name[f"compile-{name}"]["DeployTarget"]
        watched = {inside(path) for path in compile_["Deps"]}
        top = ("services", "libs", "build")
        report.check(f"compile-{name} watches its service and libs/",
                     {path for path in watched if path.split("/")[0] in top},
                     {f"services/{name}", "services/CMakeLists.txt", "libs", "build/tilt/toolchain"})
        ignored = [pattern for rule in compile_["FileWatchIgnores"] or []
                   for pattern in rule.get("patterns", [])]  # a rule without them: .git
        report.check(f"compile-{name} watches no tests", ignored,
                     ["libs/*/test", "services/*/test"])


def check_chart(report, by_name):
    text = "\n".join(objects(manifest) for manifest in by_name.values())
    report.check("no hooks", "helm.sh/hook" in text, False)
    report.check("Pod Security", "pod-security.kubernetes.io/enforce: restricted" in text, True)
    namespaces = {line.strip() for line in text.splitlines()
                  if line.strip().startswith("namespace:")}
    report.check("everything is in the namespace of development", namespaces,
                 {"namespace: plankton-dev"})
    _, again, _ = evaluate()
    report.check("rendered again, it is the same",
                 "\n".join(objects(manifest) for manifest in json.loads(again)["Manifests"]), text)
    _, elsewhere, _ = evaluate(PLANKTON_NAMESPACE="elsewhere")
    report.check("PLANKTON_NAMESPACE", "namespace: plankton-dev" in elsewhere, False)


def check_other_clusters(report):
    status, _, said = evaluate("production")
    report.check("another cluster is refused", (status, "production" in said), (5, True))
    status, seen, said = evaluate("production", PLANKTON_CONTEXT="production",
                                  PLANKTON_REGISTRY="registry.example.com/me/")
    report.check("unless it is named", (status, said), (0, ""))
    if status == 0:
        report.check("with a registry", json.loads(seen)["DefaultRegistry"]["host"],
                     "registry.example.com/me")


def main():
    for program in ("tilt", "helm"):
        if not shutil.which(program):
            print(f"skipped: {program} is not on PATH, so the Tiltfile is not evaluated")
            return 77
    report = Report()
    status, seen, said = evaluate()
    report.check("it is evaluated", (status, said), (0, ""))
    if status == 0:
        by_name = {manifest["Name"]: manifest for manifest in json.loads(seen)["Manifests"]}
        check_resources(report, by_name)
        check_images(report, by_name)
        check_chart(report, by_name)
        check_other_clusters(report)
    _, calls, _ = evaluate("kind-test", "--builtin-timings")
    report.check("it says which Tilt it needs", "- version_settings(" in calls, True)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
