"""The embedded server under everything a development machine does to it, with real processes."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.postgres import EmbeddedPostgres, PostgresFailed
from tests.operations.dev.running import is_running, wait_until_gone
from tests.support.project import PROJECT

FAST = {"fsync": "off"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


def query(postgres: EmbeddedPostgres, statement: str, database: str = "ficpay") -> object:
    with psycopg.connect(postgres.url(database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def server_pid(postgres: EmbeddedPostgres) -> int:
    return int((postgres.data / "postmaster.pid").read_text().split("\n")[0])


def python(script: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
    )


@pytest.fixture
def directory(short_path: Path) -> Iterator[Path]:
    directory = short_path / "postgres"
    yield directory
    EmbeddedPostgres(directory).stop_for_everybody()


@pytest.fixture(scope="module")
def initialized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a server that ran and was stopped, with an empty database `ficpay`."""
    directory = tmp_path_factory.mktemp("initialized")
    with EmbeddedPostgres(directory, options=FAST) as postgres:
        postgres.create_database("ficpay")
    return postgres.data


@pytest.fixture
def used(directory: Path, initialized: Path) -> Path:
    """A directory whose server ran before: it is not initialized again."""
    directory.mkdir(mode=0o700)
    shutil.copytree(initialized, directory / "data")
    return directory


@pytest.fixture
def postgres(used: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(used, options=FAST) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One for all tests that only look."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("untouched") / "postgres", options=FAST) as postgres:
        postgres.create_database("ficpay")
        yield postgres


class TestEmbeddedPostgres:
    def test_keeps_its_data_from_one_start_to_the_next(self, directory: Path) -> None:
        with EmbeddedPostgres(directory) as postgres:
            postgres.create_database("ficpay")
            query(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
            pid = server_pid(postgres)
        assert not is_running(pid)
        with EmbeddedPostgres(directory) as postgres:
            postgres.create_database("ficpay")
            assert query(postgres, "SELECT answer FROM kept") == 42

    def test_is_reached_by_its_socket_only_and_by_its_owner_only(self, untouched: EmbeddedPostgres) -> None:
        assert query(untouched, "SHOW listen_addresses") == ""
        for directory in (untouched.directory, untouched.data, untouched.directory / "socket"):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    def test_speaks_utf8_whatever_the_machine_speaks(self, untouched: EmbeddedPostgres) -> None:
        statement = """SELECT concat_ws(' ', pg_encoding_to_char(encoding), datlocprovider, datlocale)
                         FROM pg_database WHERE datname = 'ficpay'"""
        assert query(untouched, statement) == "UTF8 b C.UTF-8"

    def test_takes_settings_of_the_server(self, untouched: EmbeddedPostgres) -> None:
        assert query(untouched, "SHOW fsync") == "off"

    def test_lies_at_any_depth_under_any_name(self, tmp_path: Path) -> None:
        directory = tmp_path / 'a "name", with commas' / ("Deep" * 30) / "postgres"
        with EmbeddedPostgres(directory, options=FAST) as postgres:
            postgres.create_database("ficpay")
            assert query(postgres, "SELECT 1") == 1
            sockets = Path(str(query(postgres, "SHOW unix_socket_directories")).strip('"'))
            assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert not sockets.exists()

    def test_refuses_a_socket_directory_that_others_may_enter(self, directory: Path) -> None:
        directory.joinpath("socket").mkdir(parents=True)
        directory.joinpath("socket").chmod(0o755)
        with pytest.raises(PostgresFailed, match="open to others"):
            EmbeddedPostgres(directory).start()

    def test_does_not_take_an_unfinished_initialization_for_data(self, directory: Path) -> None:
        directory.joinpath("unfinished", "base").mkdir(parents=True)
        with EmbeddedPostgres(directory, options=FAST) as postgres:
            assert query(postgres, "SELECT 1", "postgres") == 1

    def test_says_where_to_look_when_it_does_not_start(self, directory: Path) -> None:
        with pytest.raises(PostgresFailed, match=r"postgres\.log"):
            EmbeddedPostgres(directory, options={"no_such_setting": "1"}).start()
        assert "no_such_setting" in directory.joinpath("postgres.log").read_text()


class TestSharing:
    def test_the_last_one_out_stops_the_server(self, used: Path) -> None:
        first, second = (EmbeddedPostgres(used, options=FAST) for _ in range(2))
        first.start()
        second.start()
        first.stop()
        assert query(second, "SELECT 1", "postgres") == 1
        second.stop()
        assert not second.running()

    def test_four_racing_starts_share_one_server(self, directory: Path) -> None:
        script = """
            import sys
            from pathlib import Path
            from dev.postgres import EmbeddedPostgres

            with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
                postgres.create_database("ficpay")
                print(int((postgres.data / "postmaster.pid").read_text().split()[0]), flush=True)
                sys.stdin.read()
        """
        racers = [python(script, directory) for _ in range(4)]
        pids = {racer.stdout.readline() for racer in racers if racer.stdout}
        for racer in racers:
            racer.communicate()
            assert racer.returncode == 0
        assert len(pids) == 1
        assert not is_running(int(pids.pop()))


class TestCrashes:
    def test_starts_anew_when_the_server_was_killed(self, postgres: EmbeddedPostgres) -> None:
        query(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = server_pid(postgres)
        os.kill(killed, signal.SIGKILL)
        postgres.start()
        assert server_pid(postgres) != killed
        assert query(postgres, "SELECT answer FROM kept") == 42

    def test_a_zombie_does_not_pass_for_the_server(self, used: Path) -> None:
        """A container's first process often buries nobody: who was killed there stays in the table."""
        with EmbeddedPostgres(used, options=FAST) as postgres:
            content = (postgres.data / "postmaster.pid").read_text()
        with subprocess.Popen([sys.executable, "-c", "", "-D", str(postgres.data)]) as zombie:
            assert wait_until_gone(zombie.pid, 60)
            os.kill(zombie.pid, 0)  # a signal finds it all the same
            left_behind = content.replace(content.split("\n")[0], str(zombie.pid), 1)
            (postgres.data / "postmaster.pid").write_text(left_behind)
            with EmbeddedPostgres(used, options=FAST) as postgres:
                assert query(postgres, "SELECT 1", "postgres") == 1

    def test_a_stranger_with_its_pid_does_not_pass_for_the_server(self, used: Path) -> None:
        with EmbeddedPostgres(used, options=FAST) as postgres:
            pid_file = postgres.data / "postmaster.pid"
            content = pid_file.read_text()
        pid_file.write_text(content.replace(content.split("\n")[0], str(os.getpid()), 1))
        with EmbeddedPostgres(used, options=FAST) as postgres:
            assert server_pid(postgres) != os.getpid()

    def test_takes_over_the_server_of_a_killed_parent_and_stops_it_in_the_end(self, used: Path) -> None:
        script = """
            import sys
            from pathlib import Path
            from dev.postgres import EmbeddedPostgres

            with EmbeddedPostgres(Path(sys.argv[1])):
                print("started", flush=True)
                sys.stdin.read()
        """
        with python(script, used) as parent:
            assert parent.stdout is not None
            parent.stdout.readline()
            parent.kill()
        with EmbeddedPostgres(used) as postgres:
            pid = server_pid(postgres)
            assert query(postgres, "SELECT 1", "postgres") == 1
        assert not is_running(pid)


class TestPrivileges:
    @as_root
    def test_root_needs_no_namespaces(
        self, used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forbidden = tmp_path / "bin" / "unshare"
        forbidden.parent.mkdir()
        forbidden.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
        forbidden.chmod(0o755)
        everywhere = os.environ["PATH"]
        owners = []
        for path in (everywhere, f"{forbidden.parent}:{everywhere}", everywhere):
            monkeypatch.setenv("PATH", path)
            with EmbeddedPostgres(used, options=FAST) as postgres:
                assert query(postgres, "SELECT 1") == 1
                owners.append(postgres.data.stat().st_uid)
        assert owners[1] != 0

    @as_root
    def test_an_ordinary_user_starts_it_as_themselves(self) -> None:
        script = """
            import os, sys
            from pathlib import Path
            from dev.postgres import EmbeddedPostgres, binaries
            import psycopg

            os.setgroups([]), os.setgid(1000), os.setuid(1000)
            if not os.access(binaries() / "postgres", os.X_OK):
                sys.exit("unreadable")
            with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
                postgres.create_database("ficpay")
                psycopg.connect(postgres.url("ficpay")).close()
                print("started as", os.stat(postgres.data).st_uid)
        """
        with tempfile.TemporaryDirectory() as home:  # pytest's own directories are closed to others
            os.chown(home, 1000, 1000)
            with python(script, f"{home}/postgres", stderr=subprocess.PIPE) as user:
                output, errors = user.communicate()
        if "unreadable" in errors:
            pytest.skip("the project lies where only root may look")
        assert output == "started as 1000\n", errors
