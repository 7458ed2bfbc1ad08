"""The operator's page: who is let in, what may be sent, what becomes of it; and the same board at a terminal."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageProblem
from harness.operator_board import ANSWER_CHARACTERS, DONE, SKIP, Board, Reply, Task
from harness.operator_page.address import DEFAULT, parse_address, with_default
from harness.operator_page.server import BODY_OCTETS, OperatorPage
from harness.operator_steps import ask
from harness.operator_terminal import OperatorTerminal
from harness.plan import AskStep, Plan
from harness.record.journal import read_record
from tests.unit.listen_bench import ListenBench, a_client, eventually


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


class Browser:
    """Asks the page as a browser does, with the cookie that it was given."""

    def __init__(self, page: OperatorPage) -> None:
        self.page = page
        self.cookie = ""

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(*self.page.address, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Cookie": self.cookie, **sent} if self.cookie else sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def enter(self) -> Answer:
        answer = self.ask("GET", "/" + self.page.url.split("/", 3)[3])
        self.cookie = answer.headers["set-cookie"].split(";")[0]
        return answer

    def state(self) -> dict[str, Any]:
        answer = self.ask("GET", "/state")
        assert answer.status == 200
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def reply(self, *, origin: str = "", **changed: object) -> Answer:
        told = {"task": 1, "said": DONE, "by": "J. Doe", "check": self.page.check} | changed
        return self.ask("POST", "/reply", json.dumps(told).encode(), **({"Origin": origin} if origin else {}))


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def page(board: Board) -> Iterator[OperatorPage]:
    with OperatorPage(board, ("127.0.0.1", 0)) as running:
        yield running


@pytest.fixture
def browser(page: OperatorPage) -> Browser:
    entered = Browser(page)
    entered.enter()
    return entered


def a_task(board: Board, seconds: float = 60.0) -> Task:
    return board.post(
        "do", sut="ct", title="An <ordinary> server", text="Send one image.", seconds=seconds, number=2, of=9
    )


def always(board: Board, act: Callable[[Task], object]) -> None:
    """Do `act` with every task that is posted."""

    def changed() -> None:
        for task in board.tasks():
            act(task)

    board.on_change(changed)


class TestWhoIsLetIn:
    def test_the_token_lets_one_browser_in_and_leaves_the_address(self, page: OperatorPage) -> None:
        browser = Browser(page)
        answer = browser.enter()
        assert (answer.status, answer.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=Strict"} <= set(answer.headers["set-cookie"].split("; "))
        assert browser.ask("GET", "/").status == 200
        assert browser.ask("GET", page.url[page.url.index("/?") :]).status == 303
        other = Browser(page)
        assert other.ask("GET", page.url[page.url.index("/?") :]).status == 403

    @pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token=", "/state", "/other", "/?token=%ff"])
    def test_nobody_else_gets_in(self, page: OperatorPage, path: str) -> None:
        answer = Browser(page).ask("GET", path)
        assert answer.status == 403
        assert "ps315" in answer.body or "token" in answer.body

    @pytest.mark.parametrize(
        "cookie", ["ps315_operator=wrong", "ps315_operator=", "x=y", "\u00e4\u00f6;;;=", "a" * 9000]
    )
    def test_a_made_up_cookie_is_none(self, page: OperatorPage, cookie: str) -> None:
        stranger = Browser(page)
        stranger.cookie = cookie
        assert stranger.ask("GET", "/state").status == 403
        assert stranger.reply().status == 403

    def test_the_page_needs_nothing_from_elsewhere(self, browser: Browser) -> None:
        answer = browser.ask("GET", "/")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        nonce = re.search(r"'nonce-([^']+)'", policy)
        assert nonce is not None
        assert answer.body.count(f'nonce="{nonce[1]}"') == 2
        assert not re.search(r'(src|href)="(?!data:,")', answer.body)
        assert "://" not in answer.body
        assert "{{" not in answer.body
        assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert browser.ask("GET", "/other").status == 404


class TestReplies:
    def test_what_is_to_be_done_is_shown_and_who_did_it_is_recorded(self, board: Board, browser: Browser) -> None:
        task = a_task(board)
        (shown,) = browser.state()["tasks"]
        assert shown | {"seconds": 0} == {
            "id": task.id,
            "kind": "do",
            "sut": "ct",
            "title": "An <ordinary> server",
            "text": "Send one image.",
            "seconds": 0,
            "number": 2,
            "of": 9,
            "choices": [],
        }
        assert 0 < shown["seconds"] <= 60
        assert browser.reply().status == 204
        assert task.replied.is_set()
        assert task.reply == Reply(DONE, "J. Doe")
        assert browser.state()["tasks"] == []
        assert browser.reply().status == 409

    def test_a_question_is_answered(self, board: Board, browser: Browser) -> None:
        answered: list[Reply | None] = []
        thread = threading.Thread(
            target=lambda: answered.append(board.ask(sut="ct", title="ACME-1", text="Is it so?", seconds=20))
        )
        thread.start()
        assert eventually(lambda: bool(browser.state()["tasks"]))
        assert browser.reply(said="Yes, it is so.").status == 204
        thread.join(20)
        assert answered == [Reply("Yes, it is so.", "J. Doe")]

    def test_of_choices_one_is_taken(self, board: Board, browser: Browser) -> None:
        task = board.post("ask", sut="ct", title="x", text="?", seconds=20, choices=("valid", "invalid"))
        assert browser.state()["tasks"][0]["choices"] == ["valid", "invalid"]
        assert browser.reply(said="perhaps").status == 409
        assert browser.reply(said="invalid").status == 204
        assert task.reply == Reply("invalid", "J. Doe")

    @pytest.mark.parametrize(
        ("changed", "status"),
        [
            ({"check": "wrong"}, 403),
            ({"origin": "http://elsewhere.example"}, 403),
            ({"origin": "null"}, 403),
            ({"by": "  "}, 400),
            ({"by": None}, 400),
            ({"task": "1"}, 400),
            ({"task": True}, 400),
            ({"said": 1}, 400),
            ({"task": 2}, 409),
            ({"said": "anything"}, 409),
            ({"said": "x" * BODY_OCTETS}, 413),
        ],
    )
    def test_anything_else_is_refused(
        self, board: Board, browser: Browser, changed: dict[str, Any], status: int
    ) -> None:
        task = a_task(board)
        assert browser.reply(**changed).status == status
        assert task.reply is None

    @pytest.mark.parametrize(
        ("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 400), (b"[" * 5000, 400), (b"\xff", 400), (b"null", 400)]
    )
    def test_what_is_no_json_is_refused(self, board: Board, browser: Browser, body: bytes, status: int) -> None:
        a_task(board)
        assert browser.ask("POST", "/reply", body).status == status

    @pytest.mark.parametrize("length", ["", "-1", "9" * 30, "1e3", "100000"])
    def test_a_length_that_is_none_is_refused_without_reading(self, browser: Browser, length: str) -> None:
        header = f"Content-Length: {length}\r\n" if length else ""
        with socket.create_connection(browser.page.address, timeout=20) as connection:
            connection.sendall(
                f"POST /reply HTTP/1.1\r\nHost: x\r\nCookie: {browser.cookie}\r\n{header}\r\n".encode("ascii")
            )
            assert connection.recv(4096).split()[1] in {b"411", b"413"}

    def test_the_own_origin_is_taken(self, board: Board, browser: Browser) -> None:
        task = a_task(board)
        host, port = browser.page.address
        assert browser.reply(origin=f"http://{host}:{port}").status == 204
        assert task.reply is not None

    def test_connections_that_say_nothing_do_not_keep_others_out(self, page: OperatorPage, browser: Browser) -> None:
        silent = [socket.create_connection(page.address, timeout=20) for _ in range(8)]
        try:
            assert browser.state()["tasks"] == []
        finally:
            for connection in silent:
                connection.close()


class TestBoard:
    def test_the_first_reply_counts_and_a_late_one_does_not(self, board: Board) -> None:
        task = a_task(board)
        assert not board.reply(task.id, "  ", "J. Doe")
        assert board.reply(task.id, "x" * 9000, " J.\n Doe ")
        assert not board.reply(task.id, SKIP, "R. Roe")
        assert task.reply is not None
        assert (len(task.reply.said), task.reply.by) == (ANSWER_CHARACTERS, "J. Doe")
        late = a_task(board, seconds=0.0)
        assert not board.reply(late.id, DONE, "J. Doe")

    def test_a_question_ends_with_its_time(self, board: Board) -> None:
        assert board.ask(sut="ct", title="t", text="?", seconds=60) is None  # nobody is there
        board.join()
        assert board.ask(sut="ct", title="t", text="?", seconds=0.05) is None
        assert board.tasks() == ()
        always(board, lambda task: board.reply(task.id, SKIP, "J. Doe"))
        assert board.ask(sut="ct", title="t", text="?", seconds=60) is None


class TestAskSteps:
    def test_they_are_answered_on_the_page_too(self, board: Board, page: OperatorPage, tmp_path: Path) -> None:  # noqa: ARG002
        bench = ListenBench(tmp_path)
        sut = a_client()
        run = bench.begin(sut)
        steps = tuple(
            AskStep(id=f"ask/{name}", requirement=name, question="Is it so?") for name in ("ACME-1", "ACME-2")
        )
        asking = replace(run, plan=Plan(sut=sut.id, steps=steps))
        always(board, lambda task: board.reply(task.id, "yes" if task.title == "ACME-1" else SKIP, "J. Doe"))
        ask(asking, None, board=board)
        run.journal.close()
        (answer,) = read_record(bench.path(sut), unfinished=True).answers
        assert (answer.requirement, answer.answer, answer.confirmed_by) == ("ACME-1", "yes", "J. Doe")


class TestAddresses:
    @pytest.mark.parametrize(
        ("text", "address"),
        [(DEFAULT, ("127.0.0.1", 0)), ("[::1]:8315", ("::1", 8315)), ("host.example.org:1", ("host.example.org", 1))],
    )
    def test_they_are_read(self, text: str, address: tuple[str, int]) -> None:
        assert parse_address(text) == address

    @pytest.mark.parametrize("text", ["", "8315", "host", "host:", "host:99999", "a b:1", "http://x:1", "::1:8"])
    def test_what_is_none_is_told(self, text: str) -> None:
        with pytest.raises(UsageProblem, match="is no HOST:PORT"):
            parse_address(text)

    @pytest.mark.parametrize(
        ("arguments", "completed"),
        [
            (["run", "a.toml", "--operator-page"], ["run", "a.toml", f"--operator-page={DEFAULT}"]),
            (["run", "--operator-page", "a.toml"], ["run", f"--operator-page={DEFAULT}", "a.toml"]),
            (["run", "--operator-page", "--quiet"], ["run", f"--operator-page={DEFAULT}", "--quiet"]),
            (["run", "--operator-page", "0.0.0.0:8"], ["run", "--operator-page", "0.0.0.0:8"]),
            (["run", "--operator-page=x:8", "y"], ["run", "--operator-page=x:8", "y"]),
        ],
    )
    def test_the_address_may_be_left_out(self, arguments: list[str], completed: list[str]) -> None:
        assert with_default(arguments) == completed

    def test_a_port_in_use_is_told(self, board: Board) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = taken.getsockname()
            with pytest.raises(UsageProblem, match=f"--operator-page 127.0.0.1:{address[1]}: cannot be listened at"):
                OperatorPage(board, address)

    def test_whether_others_reach_it(self, board: Board, page: OperatorPage) -> None:
        assert not page.exposed
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32,}", page.url)
        with OperatorPage(board, ("0.0.0.0", 0)) as open_one:  # noqa: S104 - that others reach it is the point
            assert open_one.exposed


class Typed(io.TextIOWrapper):
    """A terminal on which a test types."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        super().__init__(os.fdopen(reading, "rb"), encoding="utf-8")

    def type(self, line: str) -> None:
        os.write(self._writing, line.encode() + b"\n")

    def leave(self) -> None:
        os.close(self._writing)


class TestTerminal:
    @pytest.mark.parametrize(("line", "said"), [("", DONE), ("s", SKIP), ("Skip", SKIP)])
    def test_a_line_confirms_or_skips(self, board: Board, line: str, said: str) -> None:
        typed, shown = Typed(), io.StringIO()
        terminal = OperatorTerminal(board, typed, shown, "J. Doe")
        terminal.start()
        task = a_task(board)
        assert eventually(lambda: "s left" in shown.getvalue())
        typed.type("what?")
        assert eventually(lambda: "Press Enter when it is done, or type s" in shown.getvalue())
        typed.type(line)
        assert task.replied.wait(20)
        assert task.reply == Reply(said, "J. Doe")
        terminal.stop()
        typed.leave()
        assert "ct, 2 of 9: An <ordinary> server\nSend one image.\n" in shown.getvalue()
        assert board.fronts == 0

    def test_a_question_is_answered_in_a_line(self, board: Board) -> None:
        typed, shown = Typed(), io.StringIO()
        terminal = OperatorTerminal(board, typed, shown, "J. Doe")
        terminal.start()

        def answer() -> None:
            assert eventually(lambda: "Type the answer" in shown.getvalue())
            typed.type("It is so.")

        threading.Thread(target=answer, daemon=True).start()
        assert board.ask(sut="ct", title="ACME-1", text="Is it so?", seconds=20) == Reply("It is so.", "J. Doe")
        terminal.stop()
        typed.leave()

    def test_a_terminal_that_closes_is_nobody(self, board: Board) -> None:
        typed = Typed()
        terminal = OperatorTerminal(board, typed, io.StringIO(), "J. Doe")
        terminal.start()
        assert board.fronts == 1
        typed.leave()
        assert eventually(lambda: board.fronts == 0)
        terminal.stop()
        assert board.fronts == 0
