"""Naming targets, and running programs that could hang."""

import gzip
import sys
import time

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.remote import processes
from labrig.state.model import TruncatedState
from labrig.targets import files
from labrig.targets.target import Target, parse


def having(*there):
    return lambda kind, name: f"{kind}:{name}" in there


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("local", Target("local")),
        ("-", Target("file", "-")),
        ("web", Target("container", "web")),
        ("debian:12", Target("image", "debian:12")),
        ("container:web", Target("container", "web")),
        ("image:debian:12", Target("image", "debian:12")),
        ("file:web", Target("file", "web")),
        ("web.jsonl", Target("file", "web.jsonl")),
        ("ssh://web1", Target("ssh", "web1")),
        ("ssh://Web1/", Target("ssh", "Web1")),
        ("ssh://root@10.0.0.3:2222", Target("ssh", "10.0.0.3", "root", 2222)),
        ("ssh://deploy@[fd00::3]:22?become", Target("ssh", "fd00::3", "deploy", 22, become=True)),
    ],
)
def test_what_a_word_names(word, target):
    there = having("container:web", "image:debian:12", "file:web", "file:web.jsonl")
    if word == "web":
        there = having("container:web")
    assert parse(word, there) == (target, "")


def test_a_word_that_could_mean_several_things_is_said():
    target, said = parse("redis", having("container:redis", "image:redis"))
    assert target == Target("container", "redis")
    assert said == "redis is taken for a container; there is image:redis as well"


@pytest.mark.parametrize("word", ["", "two words", "-web", "web?", "container:a b"])
def test_what_docker_would_refuse_as_a_name_is_not_asked(word):
    with pytest.raises(UsageError):
        parse(word, lambda kind, _: kind != "file")


def test_a_file_by_its_form_asks_no_engine():
    def exists(kind, name):
        assert kind == "file"
        return True

    for word in ("./web", "/srv/web", "web.jsonl.gz"):
        assert parse(word, exists) == (Target("file", word), "")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("web", "'web' is neither a file nor a container nor an image"),
        ("", "'' is neither a file"),
        ("container:", "container: without a name"),
        ("container:web", "there is no container web"),
        ("image:web", "there is no image web"),
        ("web.jsonl", "there is no file web.jsonl"),
        ("ssh:web", "expected ssh://"),
        ("ssh://", "expected ssh://"),
        ("ssh://web:port", "Port could not be cast"),
        ("ssh://-oProxyCommand=x", "expected ssh://"),
        ("ssh://-l@web", "expected ssh://"),
        ("ssh://we b", "expected ssh://"),
        ("ssh://root:secret@web", "a password has no place in a target"),
        ("ssh://web/etc", "only ?become is known"),
        ("ssh://web?sudo", "only ?become is known"),
    ],
)
def test_a_word_that_names_nothing_says_why(word, said):
    with pytest.raises(UsageError) as found:
        parse(word, having())
    assert said in found.value.message
    assert "secret" not in found.value.message


@pytest.mark.parametrize("word", ["ssh://web1", "ssh://root@10.0.0.3:2222", "ssh://deploy@[fd00::3]:22", "local"])
def test_a_target_is_called_as_it_was_named(word):
    assert str(parse(word, having())[0]) == word


def ended(code, said):
    return EnvironmentFailed(f"{code}: {said}")


def test_a_program_reads_and_writes_more_than_a_pipe_holds():
    script = "import sys; text = sys.stdin.read(); sys.stderr.write(text); sys.stdout.write(text)"
    given = b"x" * 1_000_000
    assert b"".join(processes.stream([sys.executable, "-c", script], given, failure=ended)) == given


def test_a_program_that_fails_says_what_it_said():
    pieces = processes.stream(["sh", "-c", "printf some; echo no luck >&2; exit 1"], failure=ended)
    assert next(pieces) == b"some"
    with pytest.raises(EnvironmentFailed, match="1: no luck"):
        list(pieces)


def test_a_program_that_is_silent_is_ended():
    began = time.monotonic()
    with pytest.raises(EnvironmentFailed, match="gave no output"):
        list(processes.stream(["sleep", "600"], failure=ended, silence=0.1))
    assert time.monotonic() - began < 60


def test_a_program_that_nobody_reads_any_more_is_ended(tmp_path):
    script = f"import os, pathlib, time; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()));"
    script += "os.write(1, b'some'); time.sleep(600)"
    pieces = processes.stream([sys.executable, "-c", script], failure=ended)
    next(pieces)
    pieces.close()
    with pytest.raises(ProcessLookupError):
        __import__("os").kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_is_not_there():
    with pytest.raises(EnvironmentFailed, match="no-such-program cannot be started"):
        list(processes.stream(["no-such-program"], failure=ended))


@pytest.mark.parametrize("name", ["web.jsonl", "web.jsonl.gz"])
def test_a_file_is_there_only_when_it_is_whole(tmp_path, name):
    file = tmp_path / name
    file.write_text("former")

    def broken():
        yield "first"
        raise TruncatedState("it ends")

    with pytest.raises(TruncatedState):
        files.write(str(file), broken())
    assert file.read_text() == "former"
    assert list(tmp_path.iterdir()) == [file]
    assert files.write(str(file), ["first", "second"]) == 2
    assert list(files.read(str(file))) == ["first", "second"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_equal_lines_make_equal_compressed_files(tmp_path):
    for name in ("a.gz", "b.gz"):
        files.write(str(tmp_path / name), ["line"])
        time.sleep(0.01)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_compressed_file_that_is_cut_off_is_not_whole(tmp_path):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"line\n" * 1000)[:30])
    with pytest.raises(TruncatedState, match="is not whole"):
        list(files.read(str(tmp_path / "cut.gz")))


@pytest.mark.parametrize("name", ["", "no/folder.jsonl", "web.jsonl.zst"])
def test_a_file_that_cannot_be_written_is_said_before_the_work(tmp_path, name):
    with pytest.raises(UsageError):
        files.check_name(str(tmp_path / name))
