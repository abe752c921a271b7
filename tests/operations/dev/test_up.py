"""`make up` and the commands beside it, as a newcomer uses them: real processes, real signals."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from dev.instance import SUPERVISOR, Instance
from dev.postgres import EmbeddedPostgres
from tests.operations.dev.running import PROJECT, Up, environment, free_port, left_over, make

PORTS = ("FICPAY_PORT", "BANK_PORT", "ACQUIRER_PORT")


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A directory for what runs; whatever a failed test leaves there is stopped."""
    var = tmp_path / "var of tests"
    yield var
    if left_over(var):
        make("down", environment(var))


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    var = tmp_path_factory.mktemp("migrated")
    done = make("migrate", environment(var))
    assert done.returncode == 0, done.stderr
    assert left_over(var) == []
    return var


@pytest.fixture
def used(var: Path, migrated: Path) -> None:
    """As after a first run: the next start has less to do."""
    shutil.copytree(migrated, var)


@pytest.fixture
def env(var: Path) -> dict[str, str]:
    return environment(var, **{name: free_port() for name in PORTS})


def proposed(said: str) -> dict[str, str]:
    """The ports of the line that is to be pasted."""
    return dict(re.findall(r"(\w+_PORT)=(\d+)", said))


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def paste(line: str) -> dict[str, object]:
    """Run a line as a newcomer does, in the plainest shell."""
    done = subprocess.run(["/bin/sh"], input=line, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


class TestFirstRun:
    def test_leads_from_nothing_to_payments_and_back(self, var: Path, env: dict[str, str]) -> None:
        with Up(env) as up:
            said = up.wait_until_ready()
            assert "WARNING" not in up.output
            assert set(Instance(var).pids()) == {
                *(SUPERVISOR, "bank", "acquirer"),
                *("web", "worker", "recovery", "search"),
            }
            credentials = json.loads((var / "credentials.json").read_text())
            self.check_what_a_newcomer_is_told(said, credentials, env["FICPAY_PORT"])
            self.check_that_nobody_else_can_read(var)
            self.check_that_nothing_runs_as_the_owner(var)

            first, second = paste(up.curl()), paste(up.curl())
            assert (first["state"], second["state"]) == ("AUTHORIZED", "AUTHORIZED")
            assert first["id"] != second["id"]
            assert (first["livemode"], second["livemode"]) == (False, False)
            self.check_the_lines_of_the_readme(env)

            demo = make("demo", env)
            assert demo.returncode == 0, demo.stdout + demo.stderr
            self.check_the_demonstration(demo.stdout)

            again = make("up", env)
            assert again.returncode != 0
            assert f"FicPay is already running: http://localhost:{env['FICPAY_PORT']}" in again.stderr

            up.end(signal.SIGINT)
            assert "FicPay has stopped." in up.output
            assert "was killed" not in up.output
            assert left_over(var) == []

        with Up(env) as up:
            up.wait_until_ready()
            assert json.loads((var / "credentials.json").read_text()) == credentials
            port, key = env["FICPAY_PORT"], credentials["test_api_key"]
            url = f"http://localhost:{port}/api/v1/payments/{first['id']}"
            assert paste(f"curl -sS -H 'Authorization: Bearer {key}' {url}")["id"] == first["id"]
            self.check_what_a_killed_make_up_leaves(var, env, up)

    def check_what_a_killed_make_up_leaves(self, var: Path, env: dict[str, str], up: Up) -> None:
        """It is named by the next one, and stopped by `make down`."""
        os.kill(Instance(var).pids()[SUPERVISOR], signal.SIGKILL)
        up.process.wait(90)
        refused = make("up", env)
        assert refused.returncode != 0
        assert "Stop them with `make down`" in refused.stderr
        down = make("down", env)
        assert down.returncode == 0, down.stderr
        up.wait()
        assert left_over(var) == []
        assert "FicPay is not running" in make("down", env).stdout

    def check_what_a_newcomer_is_told(self, said: str, credentials: dict[str, str], port: str) -> None:
        for path in ("", "/api/docs/", "/api/redoc/", "/admin/"):
            assert f"http://localhost:{port}{path}" in said
        for name in ("live_api_key", "test_api_key", "admin_username", "admin_password"):
            assert credentials[name] in said
        assert "make demo" in said

    def check_the_lines_of_the_readme(self, env: dict[str, str]) -> None:
        """A first payment with the test key, from the authorize to the lists."""
        readme = (PROJECT / "README.md").read_text()
        (lines,) = re.findall(r"```sh\n(BASE=.*?)```", readme, re.DOTALL)
        done = subprocess.run(
            ["/bin/sh"], input=lines, cwd=PROJECT, env=env, capture_output=True, text=True, check=True
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [answer.get("state") for answer in answers[:5]] == [
            *("AUTHORIZED", None, "CAPTURED", "REFUNDED", "REFUNDED"),
        ]
        assert answers[0]["livemode"] is False
        assert answers[1]["ready_to_ship"] is True
        assert len(answers) == 8

    def check_that_nobody_else_can_read(self, var: Path) -> None:
        assert stat.S_IMODE(var.stat().st_mode) == 0o700
        for name in ("credentials.json", "development.env"):
            assert stat.S_IMODE((var / name).stat().st_mode) == 0o600

    def check_that_nothing_runs_as_the_owner(self, var: Path) -> None:
        with psycopg.connect(EmbeddedPostgres(var / "postgres").url()) as connection:
            roles = connection.execute(
                "SELECT DISTINCT usename FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall()
        assert roles == [("ficpay_app",)]

    def check_the_demonstration(self, said: str) -> None:
        for state in ("AUTHORIZED", "CAPTURED", "REFUNDED", "VOIDED"):
            assert f'"state": "{state}"' in said
        assert "402 Payment Required" in said
        assert "insufficient_funds" in said
        assert '"ready_to_ship": true' in said
        assert set(re.findall(r'"number": "(.*?)"', said)) == {"*" * 12 + "1111", "*" * 12 + "4444"}
        assert set(re.findall(r'"cvv": "(.*?)"', said)) == {"***"}


class TestGivenAddresses:
    def test_starts_neither_database_nor_banks_when_told_where_they_are(
        self, var: Path, tmp_path: Path, migrated: Path, bank: str
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        shutil.copytree(migrated / "postgres" / "data", elsewhere / "data")
        with EmbeddedPostgres(elsewhere) as postgres:
            given = {"DATABASE_URL": postgres.url("ficpay"), "BANK_URL": bank, "ACQUIRER_URL": bank}
            env = environment(var, FICPAY_PORT=free_port(), **given)
            with Up(env) as up:
                assert f"the bank at {bank}" in up.wait_until_ready()
                assert set(Instance(var).pids()) == {SUPERVISOR, "web", "worker", "recovery", "search"}
                assert not (var / "postgres").exists()
                self.check_that_a_program_that_dies_is_named(var, up)
            assert left_over(var) == []
            assert postgres.running()

    def check_that_a_program_that_dies_is_named(self, var: Path, up: Up) -> None:
        """All others end with it. Here, because each start takes seconds."""
        os.kill(Instance(var).pids()["search"], signal.SIGKILL)
        assert up.wait() != 0
        assert "search was ended by SIGKILL: see above" in up.output

    @pytest.fixture
    def bank(self) -> Iterator[str]:
        class Healthy(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"status": "healthy"}')

            def log_message(self, *_arguments: object) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Healthy) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


class TestAccidents:
    @pytest.mark.parametrize("name", PORTS)
    def test_a_taken_port_is_named_with_what_to_do(self, var: Path, env: dict[str, str], name: str) -> None:
        port = int(env[name])
        with socket.create_server(("127.0.0.1", port)):
            done = make("up", env)
        assert done.returncode != 0
        assert f"Port {port} is taken by another program. Choose another one: FICPAY_PORT=" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (var / "postgres").exists()
        assert {**proposed(done.stderr), name: ""} == {other: env[other] for other in PORTS} | {name: ""}

    @pytest.mark.parametrize("name", ["FICPAY_PORT", "BANK_PORT"])
    def test_the_proposed_ports_are_free_and_two(self, env: dict[str, str], name: str) -> None:
        """The next port belongs to the other service, and the one after it to another program."""
        rows = ((port, port + 1, port + 2) for port in range(21_000, 31_000))
        taken, ours, taken_too = next(row for row in rows if all(map(is_free, row)))
        (other_name,) = {"FICPAY_PORT", "BANK_PORT"} - {name}
        with socket.create_server(("127.0.0.1", taken)), socket.create_server(("127.0.0.1", taken_too)):
            hint = proposed(make("up", env | {name: str(taken), other_name: str(ours)}).stderr)
            assert hint[other_name] == str(ours)
            assert hint[name] != str(ours)
            assert is_free(int(hint[name]))

    def test_two_taken_ports_are_named_at_once(self, env: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            ports = {"FICPAY_PORT": one.getsockname()[1], "BANK_PORT": two.getsockname()[1]}
            done = make("up", env | {name: str(port) for name, port in ports.items()})
            hint = proposed(done.stderr)
        assert all(f"Port {port} is taken by another program." in done.stderr for port in ports.values())
        assert len({*hint.values(), *map(str, ports.values())}) == 2 + len(PORTS)

    @pytest.mark.usefixtures("used")
    def test_ctrl_c_while_it_still_starts_ends_it_at_once(self, var: Path, env: dict[str, str]) -> None:
        with Up(env) as up:
            up.wait_for("Spawning worker-2")
            up.end(signal.SIGINT)
            assert "Killing worker" not in up.output
        assert left_over(var) == []

    @pytest.mark.usefixtures("used")
    def test_a_service_manager_ends_it_as_ctrl_c_does(self, var: Path, env: dict[str, str]) -> None:
        with Up(env) as up:
            up.wait_for("Seeding")
            up.end(signal.SIGTERM)
            assert "FicPay has stopped." in up.output
        assert left_over(var) == []

    def test_the_demonstration_says_when_nothing_runs(self, env: dict[str, str]) -> None:
        done = make("demo", env)
        assert done.returncode != 0
        assert "Start it with `make up`" in done.stderr
        assert "Traceback" not in done.stderr


class TestReset:
    @pytest.mark.usefixtures("used")
    def test_deletes_what_is_ours_and_nothing_else(self, var: Path, env: dict[str, str]) -> None:
        (var / "of somebody else").write_text("kept")
        assert make("reset", env).returncode == 0
        assert [path.name for path in var.iterdir()] == ["of somebody else"]
