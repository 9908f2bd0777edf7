"""What needs no server: waits, texts, signals, addresses. The behaviour that every SDK shares is in sdks/contract."""

from __future__ import annotations

import threading
import unittest

from work_manager import AgentIdentity, PermanentError, RetryPolicy, StopSignal, WorkManager, WorkManagerConnectionError, WorkManagerError
from work_manager.failures import classify
from work_manager.retry import retry_bounds, wait_before_repeat
from work_manager.transport import _query_of


def refused(code: str, retry: str, retry_after_ms: float | None = None) -> WorkManagerError:
    problem = {"code": code, "retry": retry, "detail": "No."}
    return WorkManagerError(
        operation="x", status=409, problem=problem, request_id=None, retry_after_ms=retry_after_ms, idempotency_key=None
    )


def wait(error: Exception, *, repeatable: bool = True, attempt: int = 1, elapsed: float = 0, policy: RetryPolicy | None = None) -> float | None:
    return wait_before_repeat(
        error, attempt=attempt, elapsed_ms=elapsed, is_repeatable=repeatable, bounds=retry_bounds(policy), random=0.5
    )


class Repeats(unittest.TestCase):
    def test_what_may_pass_is_repeated_and_what_the_server_asks_for_counts(self) -> None:
        lost = WorkManagerConnectionError("unreachable", "gone", operation="x", idempotency_key=None)
        self.assertEqual(wait(lost), 125)
        self.assertEqual(wait(lost, attempt=3), 500)
        self.assertIsNone(wait(lost, repeatable=False))
        self.assertEqual(wait(refused("rate_limited", "later", 4_000), repeatable=False), 4_125)
        self.assertIsNone(wait(refused("internal", "later"), repeatable=False))
        for code in ("no_items_available", "lease_limit_reached", "paused"):
            self.assertIsNone(wait(refused(code, "later")))
        self.assertIsNone(wait(refused("not_found", "never")))
        self.assertIsNone(wait(lost, attempt=8))
        self.assertIsNone(wait(refused("busy", "later", 5_000), elapsed=56_000))
        self.assertIsNone(wait(lost, policy=RetryPolicy(on=lambda _error: False)))

    def test_a_policy_replaces_member_by_member(self) -> None:
        bounds = retry_bounds(RetryPolicy(attempts=3, base_ms=1), RetryPolicy(base_ms=2))
        self.assertEqual((bounds.attempts, bounds.base_ms, bounds.max_ms), (3, 2, 10_000))


class Texts(unittest.TestCase):
    def test_a_failure_is_text_that_the_server_accepts(self) -> None:
        failure = classify(PermanentError("a\0" + "b" * 3_000 + "\ud800", code="x" * 200, data={"host": "h"}))
        self.assertEqual((len(failure.error["message"]), len(failure.error["code"]), failure.error["host"]), (2_000, 120, "h"))
        self.assertEqual(classify(ValueError("")).error, {"code": "ValueError", "message": "The agent gave no message."})
        self.assertEqual(classify(ValueError("\ud800")).error["message"], "?")

    def test_queries_are_written_as_the_server_reads_them(self) -> None:
        given = {"filter": {"state": "queued", "priority": ">5"}, "fields": {"work_orders": ["id", "state"]}, "limit": 5, "dry_run": True}
        self.assertEqual(
            _query_of(given), "?filter%5Bstate%5D=queued&filter%5Bpriority%5D=%3E5&fields%5Bwork_orders%5D=id%2Cstate&limit=5&dry_run=true"
        )
        self.assertEqual(_query_of({"state": None}), "")


class Options(unittest.TestCase):
    def test_addresses_and_keys_that_cannot_work_are_named(self) -> None:
        for url in ("127.0.0.1:7420", "ftp://x", "", "http://"):
            with self.assertRaisesRegex(ValueError, "url must be"):
                WorkManager(url=url, key="wm_x")
        for key in ("", "wm_ x", "wm_ü"):
            with self.assertRaisesRegex(ValueError, "key must be"):
                WorkManager(url="http://127.0.0.1:1", key=key)
        with self.assertRaisesRegex(ValueError, "x-agent-name"):
            WorkManager(url="http://127.0.0.1:1", key="wm_x", agent=AgentIdentity(name="a\n"))

    def test_nobody_there_says_so_in_the_words_of_the_system(self) -> None:
        client = WorkManager(url="http://127.0.0.1:9", key="wm_x", retry=RetryPolicy(attempts=1))
        with self.assertRaises(WorkManagerConnectionError) as caught:
            client.get_order(order="01890a5d-ac96-774b-bcce-b302099a8057")
        self.assertEqual((caught.exception.reason, caught.exception.because), ("unreachable", "ECONNREFUSED"))


class Signals(unittest.TestCase):
    def test_the_first_reason_stands_and_those_who_wait_hear_of_it(self) -> None:
        source, other = StopSignal(), StopSignal()
        either = StopSignal(source, other)
        heard: list[str] = []
        either.listen(lambda: heard.append("now"))
        waiter = threading.Thread(target=either.wait)
        waiter.start()
        reason = RuntimeError("first")
        source.set(reason)
        other.set(RuntimeError("second"))
        waiter.join()
        self.assertEqual((either.reason, heard), (reason, ["now"]))
        either.listen(lambda: heard.append("late"))
        self.assertEqual(heard, ["now", "late"])
        with self.assertRaises(RuntimeError):
            either.raise_if_set()

    def test_who_stops_listening_is_not_called(self) -> None:
        source = StopSignal()
        either = StopSignal(source)
        either.close()
        source.set()
        self.assertFalse(either.is_set)


if __name__ == "__main__":
    unittest.main()
