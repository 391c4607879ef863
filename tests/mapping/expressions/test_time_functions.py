"""Functions of times: formats, zones, and the C locale whatever the process's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.expressions import FAILED, outcome
from worker.mapping.expressions.expression import Expression, ExpressionError
from worker.mapping.expressions.functions import time_codes

moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - local times
CODES = [
    "%a",
    "%A",
    "%w",
    "%d",
    "%b",
    "%B",
    "%m",
    "%y",
    "%Y",
    "%H",
    "%I",
    "%p",
    "%M",
    "%S",
    "%f",
    "%j",
    "%U",
    "%W",
]
CODES += ["%u", "%V", "%G", "%c", "%x", "%X", "%%", "x", " ", "-", "Ü"]


@pytest.mark.parametrize(
    ("text", "event", "value"),
    [
        ("parse_time(a, '%d.%m.%Y %H:%M', 'Europe/Berlin')", {"a": "21.11.2026 11:00"}, "2026-11-21T10:00:00.000Z"),
        ("parse_time(a, '%d.%m.%Y %H:%M', 'Europe/Berlin')", {"a": "21.07.2026 12:00"}, "2026-07-21T10:00:00.000Z"),
        # a local time that comes twice is the first
        ("parse_time(a, '%Y-%m-%d %H:%M', 'Europe/Berlin')", {"a": "2026-10-25 02:30"}, "2026-10-25T00:30:00.000Z"),
        ("parse_time(a, '%Y-%m-%d %H:%M', 'America/New_York')", {"a": "2026-11-01 01:30"}, "2026-11-01T05:30:00.000Z"),
        # one that never comes is as if the clock had not been changed yet
        ("parse_time(a, '%Y-%m-%d %H:%M', 'Europe/Berlin')", {"a": "2026-03-29 02:30"}, "2026-03-29T01:30:00.000Z"),
        ("parse_time(a, '%Y-%m-%d')", {"a": "2026-11-21"}, FAILED),
        ("parse_time(a, '%Y-%m-%d', 'UTC')", {"a": "2026-11-21"}, "2026-11-21T00:00:00.000Z"),
        ("parse_time(a, '%Y-%m-%d %z')", {"a": "2026-11-21 +0530"}, "2026-11-20T18:30:00.000Z"),
        ("parse_time(a, '%Y-%m-%d %z', 'Europe/Berlin')", {"a": "2026-11-21 -08:00"}, "2026-11-21T08:00:00.000Z"),
        ("parse_time(a, '%Y-%m-%d%z')", {"a": "2026-11-21Z"}, "2026-11-21T00:00:00.000Z"),
        ("parse_time(a, '%a, %d %b %Y %H:%M:%S %Z')", {"a": "Sat, 21 Nov 2026 10:00:00 GMT"},
         "2026-11-21T10:00:00.000Z"),
        ("parse_time(a, '%m/%d/%y %I:%M %p', 'UTC')", {"a": "11/21/26 12:05 am"}, "2026-11-21T00:05:00.000Z"),
        ("parse_time(a, '%Y%m%d%H%M%S', 'UTC')", {"a": "20261121100000"}, "2026-11-21T10:00:00.000Z"),
        ("parse_time(a, '%Y-%m-%d %H:%M:%S.%f', 'UTC')", {"a": "2026-11-21 10:00:00.123999"},
         "2026-11-21T10:00:00.123Z"),
        ("parse_time(a, '%Y-%m-%d %H:%M:%S', 'UTC')", {"a": "2016-12-31 23:59:60"}, "2017-01-01T00:00:00.000Z"),
        ("parse_time(a, '%G-W%V-%u', 'UTC')", {"a": "2026-W47-6"}, "2026-11-21T00:00:00.000Z"),
        ("parse_time(a, '%Y-%j', 'UTC')", {"a": "2026-366"}, FAILED),
        ("parse_time(a, '%d.%m.%Y', 'UTC')", {"a": "30.02.2026"}, FAILED),
        ("parse_time(a, '%d.%m.%Y', 'UTC')", {"a": "21.11.2026 "}, FAILED),
        ("parse_time(a, '%d.%m.%Y', 'UTC')", {"a": "٢١.11.2026"}, FAILED),
        ("parse_time(a, '%d.%m.%Y', 'UTC')", {"a": None}, None),
        ("parse_time(a, '%d.%m.%Y', b)", {"a": "21.11.2026"}, None),
        ("parse_time(a, '%d.%m.%Y', b)", {"a": "21.11.2026", "b": "Mars/Base"}, FAILED),
        ("parse_time(a, '%d.%m.%Y', b)", {"a": "21.11.2026", "b": "../../etc/passwd"}, FAILED),
        ("parse_time(a, '%d.%m.%Y', b)", {"a": "21.11.2026", "b": "Europe"}, FAILED),
        ("parse_time(a, '%d.%m.%Y', b)", {"a": "21.11.2026", "b": "x\0y"}, FAILED),
        ("parse_time(a, '%d.%m.%Y', b)", {"a": "21.11.2026", "b": "x" * 5000}, FAILED),
        ("parse_time(a, '%d.%m.%Y', b)", {"a": "21.11.2026", "b": "localtime"}, FAILED),
        ("parse_time(a, b, 'UTC')", {"a": "21.11.2026", "b": "%Q"}, FAILED),
        ("parse_time(a, b, 'UTC')", {"a": "21", "b": "%d"}, FAILED),
        ("parse_time(a, '%Y-%m-%d', 'Asia/Tokyo')", {"a": "0001-01-01"}, FAILED),
        ("format_time(a, '%Y-%m-%d %H:%M')", {"a": "2026-11-21T10:00:00Z"}, "2026-11-21 10:00"),
        ("format_time(a, '%a %-d. %B %y %I%p %z %Z', 'Europe/Berlin')", {"a": "2026-07-01T22:00:00Z"},
         "Thu 2. July 26 12AM +0200 CEST"),
        ("format_time(a, '%j %U %W %G-%V-%u %w %f %c %x %X %%')", {"a": "2026-11-21T10:00:00.5Z"},
         "325 46 46 2026-47-6 6 500000 Sat Nov 21 10:00:00 2026 11/21/26 10:00:00 %"),
        ("format_time(a, '%Y')", {"a": 1795255200}, "2026"),
        ("format_time(a, '%Y')", {"a": "0099-01-01T00:00:00Z"}, "0099"),
        ("format_time(a, '%-m/%-d %-H:%-M')", {"a": "2026-01-02T00:00:00Z"}, "1/2 0:0"),
        ("format_time(a, '%Y')", {"a": "soon"}, FAILED),
        ("format_time(a, '%Y')", {"a": 1.5}, FAILED),
        ("format_time(a, '%Y')", {"a": []}, None),
        ("format_time(a, '%Y', b)", {"a": "2026-11-21T10:00:00Z"}, None),
        ("format_time(a, b)", {"a": "2026-11-21T10:00:00Z", "b": "%Q"}, FAILED),
        ("format_time(a, b)", {"a": "2026-11-21T10:00:00Z", "b": "%"}, FAILED),
        ("format_time(a, '%Y', 'America/New_York')", {"a": "0001-01-01T00:00:00Z"}, FAILED),
        ("add_time(a, '3d')", {"a": "2026-11-21T10:00:00+01:00"}, "2026-11-24T09:00:00.000Z"),
        ("add_time(a, '-1.5h')", {"a": "2026-11-21T10:00:00Z"}, "2026-11-21T08:30:00.000Z"),
        ("add_time(a, '250ms')", {"a": 1795255200}, "2026-11-21T10:00:00.250Z"),
        ("add_time(a, '90m')", {"a": "2026-11-21T10:00:00Z"}, "2026-11-21T11:30:00.000Z"),
        ("add_time(a, '1s')", {"a": "2026-11-21T10:00:00Z"}, "2026-11-21T10:00:01.000Z"),
        ("add_time(a, '99999999d')", {"a": "2026-11-21T10:00:00Z"}, FAILED),
        ("add_time(a, '-999999999999999d')", {"a": "2026-11-21T10:00:00Z"}, FAILED),
        ("add_time(a, b)", {"a": "2026-11-21T10:00:00Z", "b": "3 days"}, FAILED),
        ("add_time(a, b)", {"a": "2026-11-21T10:00:00Z", "b": "9" * 100_000 + "d"}, FAILED),
        ("add_time(a, b)", {"a": "2026-11-21T10:00:00Z", "b": 3}, None),
        ("date(a)", {"a": "2026-11-21T23:30:00Z"}, "2026-11-21"),
        ("date(a, 'Europe/Berlin')", {"a": "2026-11-21T23:30:00Z"}, "2026-11-22"),
        ("date(a, 'America/Los_Angeles')", {"a": 1795255200000}, "2026-11-21"),
        ("date(a, b)", {"a": "2026-11-21T23:30:00Z", "b": ""}, FAILED),
        ("date(a)", {"a": "2026-11-21"}, FAILED),
        ("date(a)", {"a": True}, None),
    ],
)  # fmt: skip
def test_time_functions_give(text: str, event: dict[str, Any], value: Any) -> None:
    assert outcome(text, **event) == value


@pytest.mark.parametrize(
    ("text", "position", "message", "hint"),
    [
        (
            "date(a, 'Europe/Berln')",
            8,
            "there is no time zone 'Europe/Berln'",
            "did you mean 'Europe/Berlin'?",
        ),
        ("date(a, 'Europe')", 8, "there is no time zone", ""),
        ("date(a, '')", 8, "there is no time zone", "such as"),
        ("format_time(a, '%Y', 'CEST')", 21, "there is no time zone", ""),
        ("parse_time(a, '%Y-%m-%d', '+02:00')", 26, "there is no time zone", ""),
        ("format_time(a, 'YYYY-MM-DD')", 15, "no part of a time is in it", "Python's codes"),
        ("format_time(a, '%Y-%Q')", 15, "there is no code %Q", "Python's codes"),
        ("format_time(a, '%Y%')", 15, "% at the end", ""),
        ("format_time(a, '%-A')", 15, "there is no code %-A", ""),
        ("parse_time(a, '%d.%m.%Y %Q')", 14, "there is no code %Q", "Python's codes"),
        ("parse_time(a, '%H:%M')", 14, "it has no year", ""),
        ("parse_time(a, '%d %d %Y')", 14, "%d comes twice", ""),
        ("parse_time(a, '%Y %y')", 14, "two years", ""),
        ("parse_time(a, '%G-%V')", 14, "go together", ""),
        ("parse_time(a, '%Y %U')", 14, "need a day of the week", ""),
        ("parse_time(a, 'DD.MM.YYYY', 'UTC')", 14, "it has no year", ""),
        ("add_time(a, '3 days')", 12, "'3 days' is not a duration", "a number with ms"),
        ("add_time(a, '3')", 12, "'3' is not a duration", "a number with ms"),
    ],
)
def test_zones_formats_and_durations_that_do_not_exist_are_errors_at_their_place(
    text: str, position: int, message: str, hint: str
) -> None:
    with pytest.raises(ExpressionError) as error:
        Expression.parse(text)
    assert error.value.position == position
    assert message in error.value.message
    assert (error.value.hint or "").startswith(hint)


def test_names_are_english() -> None:
    written = outcome("format_time(a, '%A %B %p %c')", a="2026-05-21T10:00:00Z")
    assert written == "Thursday May AM Thu May 21 10:00:00 2026"
    assert outcome("parse_time(a, '%d %B %Y', 'UTC')", a="21 march 2026") == "2026-03-21T00:00:00.000Z"


@given(moment=moments, codes=st.lists(st.sampled_from(CODES), max_size=6))
def test_times_are_written_as_python_writes_them(moment: datetime, codes: list[str]) -> None:
    form = "".join(codes)
    expected = moment.strftime(
        form.replace("%Y", f"{moment.year:04}").replace("%G", f"{moment.isocalendar().year:04}")
    )
    if "%c" not in form or moment.year > 999:  # C libraries differ in whether they pad these years
        assert "".join(time_codes.written(moment, form)) == expected


FORMATS = [
    "%Y-%m-%d",
    "%d.%m.%y %H:%M",
    "%a %b %d %H:%M:%S %Y",
    "%A %d %B %Y %I:%M:%S.%f %p",
    "%c",
    "%x %X",
    "%Y %j",
]
FORMATS += [
    "%Y %U %w",
    "%Y %W %a",
    "%G %V %u",
    "%Y%m%d%H%M%S",
    "%d  %m\t%Y",
    "%Y-%m",
    "100%% %Y",
    "(%Y.*)[%m]",
]


@given(moment=moments.filter(lambda moment: moment.year > 999), form=st.sampled_from(FORMATS))
def test_times_are_read_as_python_reads_them(moment: datetime, form: str) -> None:
    text = moment.strftime(form)
    for written in (text, text.lower(), text.replace(" 0", " ")):
        try:
            expected = datetime.strptime(written, form)  # noqa: DTZ007 - a local time
        except ValueError:
            continue
        assert time_codes.reader(form).read(written) == (expected, None), written


@given(moment=moments, minutes=st.integers(-1439, 1439))
def test_a_time_is_moved_there_and_back(moment: datetime, minutes: int) -> None:
    start = f"{moment.isoformat(timespec='milliseconds')}Z"
    moved = outcome(f"add_time(add_time(a, '{minutes}m'), '{-minutes}m')", a=start)
    assert moved == start
    assert outcome(f"add_time(a, '{minutes}m')", a=start).startswith(
        (moment + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
    )
