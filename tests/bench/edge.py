"""The gateway beside nginx as a plain proxy, before one and the same upstream."""
import json
import shutil
import tempfile
from pathlib import Path

import contest
import harness

ROUNDS = 15
PATH = "/bench/x"


def nginx_config(directory, name, server, upstream=""):
    temps = "".join(f"{kind}_temp_path {directory}/{name}-{kind};" for kind in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path = directory / f"{name}.conf"
    path.write_text(
        f"daemon off; master_process off; pid {directory}/{name}.pid;"
        f" error_log {directory}/{name}.err;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; {temps}\n"
        f"{upstream}\nserver {{ {server} }} }}\n")
    return path


def nginx(directory, name, port, server, upstream="", core=0):
    file = name.split(",")[0]
    config = nginx_config(directory, file, f"listen 127.0.0.1:{port}; {server}", upstream)
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    return contest.Contestant(name, port, [binary, "-c", config, "-e", f"{directory}/{file}.err"],
                              PATH, core=core)


def gateways(mesh, directory, origin_port):
    routes = directory / "routes.json"
    routes.write_text(json.dumps({
        "upstreams": {"origin": {"servers": [f"127.0.0.1:{origin_port}"], "max_connections": 128}},
        "routes": [{"path": "/bench", "upstream": "origin"}]}))
    token = mesh.login(mesh.register()["email"])["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    made = []
    for name, access_log, headers in (("gateway", "false", {}),
                                      ("gateway, token checked", "false", bearer),
                                      ("gateway, token checked, access log on", "true", bearer)):
        port = harness.free_port()
        env = {**mesh.gateway.env, "LISTEN_ADDR": f"127.0.0.1:{port}", "ADMIN_ADDR": "127.0.0.1:0",
               "WORKERS": "1", "ROUTES_FILE": str(routes), "ACCESS_LOG": access_log}
        made.append(contest.Contestant(name, port, [harness.BIN / "gateway"], PATH, env, headers))
    return made


def run():
    mesh = harness.Mesh()
    directory = Path(tempfile.mkdtemp(prefix="plankton-edge-"))
    running = []
    try:
        origin_port = harness.free_port()
        origin = nginx(directory, "origin", origin_port, 'location / { default_type'
                       """ application/json; return 200 '{"hello":"world"}'; }""", core=1)
        running.append(origin)
        harness.wait_until("the upstream answers", origin.answers)
        proxy = nginx(
            directory, "nginx, plain proxy", harness.free_port(),
            'location / { proxy_pass http://u; proxy_http_version 1.1;'
            ' proxy_set_header Connection ""; }',
            f"upstream u {{ server 127.0.0.1:{origin_port}; keepalive 128;"
            " keepalive_requests 1000000000; }")
        running.append(proxy)
        running += gateways(mesh, directory, origin_port)
        rows = contest.compare(running[1:], ROUNDS)
    finally:
        for contestant in running:
            contestant.stop()
        mesh.close()
        shutil.rmtree(directory, ignore_errors=True)
    return [f"A GET through the proxy to nginx: CPU time of the proxy per request, one worker, "
            f"{contest.CONNECTIONS} kept-alive connections, the proxy on one core, wrk and the "
            f"upstream on the other. Median of {ROUNDS} rounds of a second each, in turn; the "
            "ratio is the median of the ratios round by round.", "",
            "| proxy | CPU per request | ratio to nginx |", "|---|---|---|", *rows]
