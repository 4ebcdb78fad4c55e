"""Opening a lesson: a new server, a running one, a taken port; with a stand-in for JupyterLab, and once for real."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import nbformat
import pytest

from gpucourse import lab
from gpucourse.errors import CourseError

# what JupyterLab does as far as lab.py can see: it describes itself in a file, and answers who knows its token
STAND_IN = """
import http.server, json, os, sys
folder, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers["Authorization"] == "token secret" else 403)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", port), Answer)
about = dict(url=f"http://127.0.0.1:{port}/", token="secret", root_dir=folder, port=port)
json.dump(about, open(os.path.join(os.environ["JUPYTER_RUNTIME_DIR"], f"jpserver-{os.getpid()}.json"), "w"))
server.timeout = seconds
server.handle_request()
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one lesson in a folder with a space, no display, and a runtime folder of its own."""
    lessons = tmp_path / "the course" / "notebooks"
    lessons.mkdir(parents=True)
    cell = nbformat.v4.new_code_cell("1 + 1", id="c1")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), lessons / "01_first lesson.ipynb")
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return lessons.parent


def arguments(course, *words):
    parser = argparse.ArgumentParser()
    lab.add_arguments(parser)
    args, args.rest = parser.parse_known_args([*words, "--course", str(course)])
    return args


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def describe(root_dir, port=1, token="secret"):
    """Leave a server's description where Jupyter would."""
    about = {"url": f"http://127.0.0.1:{port}/", "token": token, "root_dir": str(root_dir), "port": port}
    path = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{port}.json"
    path.write_text(json.dumps(about))
    return about


@pytest.fixture
def answering():
    """The port of a server that answers only who knows the token "secret"."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.headers["Authorization"] == "token secret" else 403)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_copy_only_makes_the_copies_and_starts_nothing(course, capsys):
    assert lab.run(arguments(course, "--copy-only")) == 0
    assert (course / "my-course" / "01_first lesson.ipynb").exists()
    assert capsys.readouterr().out == ""


def test_copies_can_lie_in_another_folder(course, tmp_path):
    """On a JupyterHub the course is one for all, and the copies are in each learner's home."""
    assert lab.run(arguments(course, "--copy-only", "--folder", str(tmp_path / "ann" / "my-course"))) == 0
    assert (tmp_path / "ann" / "my-course" / "01_first lesson.ipynb").exists()
    assert not (course / "my-course").exists()


def test_a_first_start_prints_the_address_and_ends_with_the_server(course, capsys, monkeypatch):
    started = []

    def stand_in(port, mine, rest):
        started.append((port, rest))
        return [sys.executable, "-c", STAND_IN, str(mine.resolve()), str(port), "5"]

    monkeypatch.setattr(lab, "_command", stand_in)
    port = free_port()
    assert lab.run(arguments(course, "--port", str(port), "--ip=0.0.0.0")) == 0
    assert started == [(port, ["--ip=0.0.0.0"])]
    printed = capsys.readouterr().out
    assert f"http://127.0.0.1:{port}/lab/tree/01_first%20lesson.ipynb?token=secret" in printed
    assert "Open this address in a browser:" in printed


def test_a_second_start_shows_the_running_servers_address(course, capsys, monkeypatch, answering):
    monkeypatch.setattr(lab, "_serve", lambda *_: pytest.fail("started a second server"))
    describe(course / "my-course", answering)
    assert lab.run(arguments(course)) == 0
    printed = capsys.readouterr().out
    assert "already runs" in printed
    assert f"http://127.0.0.1:{answering}/lab/tree/" in printed


def test_a_learner_who_has_begun_is_brought_where_they_were(course, capsys, monkeypatch, answering):
    for name in ("00_start.ipynb", "02_next.ipynb"):
        (course / "notebooks" / name).write_bytes((course / "notebooks" / "01_first lesson.ipynb").read_bytes())
    describe(course / "my-course", answering)

    def opened(*words):
        assert lab.run(arguments(course, *words)) == 0
        printed = capsys.readouterr().out
        return re.search(r"/lab/tree/(\w+)", printed)[1], printed

    assert opened()[0] == "00_start", "the start page at first"
    (course / "my-course" / "02_next.ipynb").write_text('{"cells": []}')
    name, printed = opened()
    assert name == "02_next" and "You worked on 02_next last." in printed and "`lab --lesson 00`" in printed
    assert opened("--lesson", "00")[0] == "00_start"
    name, printed = opened("--lesson", "01")
    assert name.startswith("01_first") and "You worked on" not in printed


def test_a_killed_server_another_folders_server_and_a_strangers_port_are_not_ours(course, answering, tmp_path):
    mine = course / "my-course"
    describe(mine, free_port())                       # its process is gone
    describe(tmp_path, answering)                     # serves another folder
    assert lab.running(mine) is None
    describe(mine, answering, token="of a dead server")   # the port now belongs to somebody else
    assert lab.running(mine) is None
    (Path(os.environ["JUPYTER_RUNTIME_DIR"]) / "jpserver-7.json").write_text("{half")
    describe(mine, answering)
    assert lab.running(mine)["port"] == answering


def test_a_server_without_a_token_has_a_plain_address():
    assert lab.address({"url": "http://h:1/", "token": ""}, "01_a.ipynb") == "http://h:1/lab/tree/01_a.ipynb"


def test_a_taken_port_is_one_line_with_a_free_port(course, answering, monkeypatch):
    (course / "Makefile").touch()
    monkeypatch.setattr(lab.shutil, "which", lambda _: "/usr/bin/make")
    with pytest.raises(CourseError) as failure:
        lab.run(arguments(course, "--port", str(answering)))
    expected = rf"port {answering} is taken by another program\. Next step: make lab PORT=(\d+)"
    said = re.fullmatch(expected, str(failure.value))
    assert said and lab._why_not(int(said[1])) is None


def test_jupyterlab_is_told_of_the_extension_for_alternative_text(course):
    (option,) = (word for word in lab._command(8888, course, []) if "extra_labextensions_path" in word)
    (package,) = Path(option.split("=")[1]).glob("*/package.json")
    loaded = json.loads(package.read_text("utf-8"))["jupyterlab"]["_build"]["load"]
    assert (package.parent / loaded).is_file()


def test_without_make_the_next_step_is_a_python_command(course, answering):
    with pytest.raises(CourseError, match=r"Next step: python -m gpucourse lab --port \d+"):
        lab.run(arguments(course, "--port", str(answering)))


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8888a", "", "²"])
def test_a_port_is_a_number_from_1_to_65535(course, port, capsys):
    with pytest.raises(SystemExit):
        arguments(course, f"--port={port}")
    assert "is not a port" in capsys.readouterr().err


def test_a_server_that_dies_at_the_start_is_quoted(course, monkeypatch):
    program = "import sys; print('no such option: --nonsense', file=sys.stderr); sys.exit(5)"
    monkeypatch.setattr(lab, "_command", lambda *_: [sys.executable, "-c", program])
    with pytest.raises(CourseError, match=r"ended with status 5: no such option: --nonsense Next step: read "):
        lab.run(arguments(course, "--port", str(free_port())))


def test_no_jupyterlab_here_is_one_line(course, monkeypatch):
    monkeypatch.setattr(lab, "find_spec", lambda _: None)
    with pytest.raises(CourseError, match=r"JupyterLab is missing\. Next step: .*pip install -r requirements.txt"):
        lab.run(arguments(course))


def test_root_may_start_it_and_others_need_no_leave(course, monkeypatch):
    for user, expected in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user, raising=False)
        assert ("--allow-root" in lab._command(8888, course, [])) is expected


def test_a_browser_opens_where_there_is_a_display(course, capsys, monkeypatch, answering):
    opened = []
    monkeypatch.setattr(lab.webbrowser, "open", lambda url: opened.append(url) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    describe(course / "my-course", answering)
    lab.run(arguments(course))
    assert len(opened) == 1 and "It is open in your browser" in capsys.readouterr().out
    lab.run(arguments(course, "--no-browser"))
    assert len(opened) == 1


def test_over_ssh_the_tunnel_is_shown(course, capsys, monkeypatch, answering):
    monkeypatch.setenv("SSH_CONNECTION", "1.2.3.4 5 6.7.8.9 22")
    describe(course / "my-course", answering)
    lab.run(arguments(course))
    assert f"ssh -L {answering}:localhost:{answering}" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_one_line(course):
    (course / "my-course").write_text("a file, not a folder")
    with pytest.raises(CourseError, match=r"my-course: .* Next step:"):
        lab.run(arguments(course, "--copy-only"))


def test_jupyterlab_itself_starts_serves_the_copy_and_stops(course):
    pytest.importorskip("jupyterlab")
    command = [sys.executable, "-m", "gpucourse", "lab", "--no-browser", "--course", str(course)]
    port = str(free_port())
    with subprocess.Popen([*command, "--port", port], stdout=subprocess.PIPE, text=True) as first:
        address = next(line.strip() for line in first.stdout if "token=" in line)
        second = subprocess.run(command, capture_output=True, text=True, check=True)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        contents = address.replace("/lab/tree/", "/api/contents/")
        with direct.open(address) as page, direct.open(contents) as copy:
            assert page.status == 200
            assert json.load(copy)["content"]["cells"][0]["source"] == "1 + 1"
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=20) == 0
    assert address in second.stdout
