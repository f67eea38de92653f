"""What checks find: what was checked, and whether it is right."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

OK = "ok"


class VerificationError(ValueError):
    """An output is not what it should be."""


@dataclass(frozen=True)
class Finding:
    """One check: what was checked, and `OK` or what is wrong."""

    what: str
    result: str


def verified(what: str, check: Callable[[], object]) -> Finding:
    """Run one check; the result is the message of the error that it raises, or `OK`."""
    try:
        check()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        result = str(error) if isinstance(error, OSError | ValueError) else repr(error)
        return Finding(what, result.removeprefix(f"{what}: "))
    return Finding(what, OK)


def require_content(path: Path, expected: str) -> None:
    """VerificationError unless a file has the text that its inputs give."""
    if path.read_bytes() != expected.encode():
        raise VerificationError("not what its inputs give; delete it to have it made again")


def failures(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.result != OK]


def findings_text(findings: Collection[Finding]) -> str:
    """A summary of all checks, with up to twenty failures."""
    wrong = failures(findings)
    if not wrong:
        return f"all {len(findings)} checks passed"
    shown = [f"{finding.what}: {finding.result}" for finding in wrong[:20]]
    more = [f"and {len(wrong) - len(shown)} more"] if len(wrong) > len(shown) else []
    return "\n".join([f"{len(wrong)} of {len(findings)} checks failed:", *shown, *more])
