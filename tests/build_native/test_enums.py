"""The generated enums agree with the headers, and survive unknown numbers."""

from __future__ import annotations

import copy
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gns_py
from gns_py._generated.enums import (
    ConfigScope,
    ConfigType,
    ConfigValue,
    ConnectionState,
    EndReason,
    EndReasonRange,
    IdentityType,
    InfoFlags,
    LogLevel,
    Result,
    SendFlags,
)

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(os.environ.get("GNS_PY_GNS_SOURCE") or ROOT / "vendor/src/gns")
TYPES_HEADER = "include/steam/steamnetworkingtypes.h"
needs_source = pytest.mark.skipif(not (SOURCE / TYPES_HEADER).is_file(), reason="the sources of GNS are not there")

OPEN_ENUMS = [ConnectionState, EndReason, Result]
OpenEnumType = type[ConnectionState] | type[EndReason] | type[Result]
NUMBERS = st.integers(-(2**31), 2**32 - 1)

# number, name, default, lowest, highest: copied by hand from the library's documentation, not from the generator
CONNECTION_OPTIONS = """
    24 timeout_initial 10000 0 2147483647
    25 timeout_connected 10000 0 2147483647
    9 send_buffer_size 524288 4096 268435456
    47 recv_buffer_size 1048576 4096 268435456
    48 recv_buffer_messages 1000 2 268435456
    49 recv_max_message_size 524288 64 268435456
    50 recv_max_segments_per_packet 1300 1 1300
    40 connection_user_data -1 -9223372036854775808 9223372036854775807
    10 send_rate_min 262144 1024 268435456
    11 send_rate_max 262144 1024 268435456
    12 nagle_time 5000 0 20000
    32 mtu_packet_size 1300 200 1300
    33 mtu_data_size 1200 100 1200
    37 symmetric_connect 0 0 1
    38 local_virtual_port -1 -1 2147483647
    23 ip_allow_without_auth 2 0 2
    52 ip_local_host_allow_without_auth 2 0 2
    34 unencrypted 0 0 3
    59 send_time_since_previous_packet -1 -1 1
    13 log_level_ack_rtt 4 2 8
    14 log_level_packet_decode 4 2 8
    15 log_level_message 4 2 8
    16 log_level_packet_gaps 4 2 8
    17 log_level_p2p_rendezvous 4 2 8
    104 p2p_transport_ice_enable 2147483647 0 2147483647
    105 p2p_transport_ice_penalty 0 0 2147483647
    110 p2p_transport_ice_implementation 0 0 2
    10001 recv_queue_bytes 8388608 4096 1073741824
    10002 recv_queue_messages 65536 2 16777216
    10003 max_unacked_segments 16384 64 60000
"""
GLOBAL_OPTIONS = """
    2 fake_packet_loss_send 0.0 0.0 100.0
    3 fake_packet_loss_recv 0.0 0.0 100.0
    4 fake_packet_lag_send 0 0 5000
    5 fake_packet_lag_recv 0 0 5000
    53 fake_packet_jitter_send_avg 0.0 0.0 2000.0
    54 fake_packet_jitter_send_max 100.0 0.0 5000.0
    55 fake_packet_jitter_send_pct 75.0 0.0 100.0
    56 fake_packet_jitter_recv_avg 0.0 0.0 2000.0
    57 fake_packet_jitter_recv_max 100.0 0.0 5000.0
    58 fake_packet_jitter_recv_pct 75.0 0.0 100.0
    6 fake_packet_reorder_send 0.0 0.0 100.0
    7 fake_packet_reorder_recv 0.0 0.0 100.0
    8 fake_packet_reorder_time 15 0 5000
    26 fake_packet_dup_send 0.0 0.0 100.0
    27 fake_packet_dup_recv 0.0 0.0 100.0
    28 fake_packet_dup_time_max 10 0 5000
    41 packet_trace_max_bytes -1 -1 99999
    42 fake_rate_limit_send_rate 0 0 1073741824
    43 fake_rate_limit_send_burst 16384 0 1048576
    44 fake_rate_limit_recv_rate 0 0 1073741824
    45 fake_rate_limit_recv_burst 16384 0 1048576
    51 out_of_order_correction_window_microseconds 1000 0 50000
    999 ecn -1 -1 2
"""
TEXT_OPTIONS = {
    103: "p2p_stun_server_list",
    107: "p2p_turn_server_list",
    108: "p2p_turn_user_list",
    109: "p2p_turn_pass_list",
}
END_REASONS = """
    0 1000 1001 1002 2000 2001 2003 2004 2999 3001 3002 3003 3004 3005 3006 4001 4002 4003 4006 4007
    5001 5002 5003 5005 5006 5008 5009 5010 9001 9002 9999
"""


def is_sentence(text: str) -> bool:
    return len(text) > 4 and text[0].isupper() and text.endswith(".") and "\n" not in text


def option_rows() -> list[tuple[ConfigScope, list[str]]]:
    tables = [(ConfigScope.CONNECTION, CONNECTION_OPTIONS), (ConfigScope.GLOBAL, GLOBAL_OPTIONS)]
    return [(scope, line.split()) for scope, table in tables for line in table.strip().splitlines()]


# ---- the generator --------------------------------------------------------------------------------------------------


def run_generator(root: Path, *arguments: str, source: Path = SOURCE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "build_native.enums", *arguments],
        cwd=root,
        env={**os.environ, "GNS_PY_GNS_SOURCE": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what the generator reads and writes in this repository, and return the copy's root."""
    for name in (
        *(f"build_native/enums/{path.name}" for path in (ROOT / "build_native/enums").glob("*.py")),
        "build_native/core/gns_core.h",
        "gns_py/_generated/enums.py",
        "gns_py/_generated/config_fields.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def own_source(tmp_path: Path) -> Path:
    """Copy GNS's sources, for changes, and return the copy's folder."""
    for name in ("include/steam", "src/steamnetworkingsockets"):
        shutil.copytree(SOURCE / name, tmp_path / "gns" / name)
    return tmp_path / "gns"


@pytest.mark.clone
@needs_source
def test_the_generated_files_are_up_to_date() -> None:
    done = run_generator(ROOT, "--check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.clone
@needs_source
@pytest.mark.parametrize("name", ["gns_py/_generated/enums.py", "gns_py/_generated/config_fields.py"])
def test_a_stale_file_is_noticed_and_written_anew(tree: Path, name: str) -> None:
    file = tree / name
    fresh = file.read_bytes()
    file.write_bytes(fresh.replace(b"10000", b"20000"))
    done = run_generator(tree, "--check")
    assert done.returncode == 1
    assert done.stderr == f"{name} is not up to date: run python -m build_native.enums\n"
    assert run_generator(tree).returncode == 0
    assert file.read_bytes() == fresh


@pytest.mark.clone
def test_without_the_sources_the_generator_says_what_to_do(tmp_path: Path) -> None:
    done = run_generator(ROOT, "--check", source=tmp_path / "nowhere")
    assert done.returncode == 1
    assert re.fullmatch(
        r"build_native\.enums: no sources of GNS in .*nowhere: "
        r"run build_native/materialise\.py, or set GNS_PY_GNS_SOURCE\n",
        done.stderr,
    )


@needs_source
@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        (
            TYPES_HEADER,
            "k_ESteamNetConnectionEnd_Misc_Timeout = 5003,",
            "k_ESteamNetConnectionEnd_Misc_Timeout = 5003, k_ESteamNetConnectionEnd_Misc_Bored = 5011,",
            "build_native.enums: only GNS or only the table has: Misc_Bored",
        ),
        (
            TYPES_HEADER,
            "k_ESteamNetworkingConnectionState_Linger = -2,",
            "",
            "build_native.enums: only GNS or only the table has: Linger",
        ),
        (
            "src/steamnetworkingsockets/clientlib/csteamnetworkingsockets.cpp",
            "DEFINE_CONNECTON_DEFAULT_CONFIGVAL( int32, NagleTime, 5000, 0, 20000 );",
            "",
            "build_native.enums: GNS does not have the options nagle_time",
        ),
    ],
)
def test_a_change_in_the_headers_stops_the_generator(
    tree: Path, own_source: Path, file: str, old: str, new: str, complaint: str
) -> None:
    text = (own_source / file).read_text(encoding="utf-8")
    assert old in text
    (own_source / file).write_text(text.replace(old, new), encoding="utf-8")
    done = run_generator(tree, source=own_source)
    assert (done.returncode, done.stderr.strip()) == (1, complaint)


@needs_source
def test_a_changed_default_gets_into_the_generated_files(tree: Path, own_source: Path) -> None:
    file = own_source / "src/steamnetworkingsockets/clientlib/csteamnetworkingsockets.cpp"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("SendBufferSize, 512*1024", "SendBufferSize, 512*1024 + 7"), encoding="utf-8")
    assert run_generator(tree, source=own_source).returncode == 0
    assert "default=524295" in (tree / "gns_py/_generated/enums.py").read_text(encoding="utf-8")
    assert "by default 524295" in (tree / "gns_py/_generated/config_fields.py").read_text(encoding="utf-8")


# ---- open enums -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enum", OPEN_ENUMS)
@given(number=NUMBERS)
def test_a_number_that_nobody_knows_survives(enum: OpenEnumType, number: int) -> None:
    member = enum(number)
    assert isinstance(member, enum)
    assert member == number
    assert member.value == number
    assert type(member.value) is int
    assert hash(member) == hash(number)
    assert {number: "found"}[member] == "found"
    assert member == enum(number)
    assert is_sentence(member.explanation)
    assert member.name.isidentifier()
    assert str(member) == f"{member}" == member.name
    for again in (
        *(pickle.loads(pickle.dumps(member, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
        copy.copy(member),
        copy.deepcopy(member),
    ):
        assert isinstance(again, enum)
        assert (again, again.name, again.explanation) == (member, member.name, member.explanation)


@pytest.mark.parametrize("enum", OPEN_ENUMS)
def test_members_are_the_same_object_however_they_are_come_by(enum: OpenEnumType) -> None:
    for member in enum:
        assert enum(int(member)) is member
        assert pickle.loads(pickle.dumps(member)) is member
        assert copy.deepcopy(member) is member


def test_names_of_unknown_numbers() -> None:
    assert ConnectionState(77).name == "UNKNOWN_77"
    assert repr(ConnectionState(77)) == "<ConnectionState.UNKNOWN_77: 77>"
    assert ConnectionState(-9).name == "UNKNOWN_MINUS_9"
    assert EndReason(1234).name == "APP_1234"
    assert EndReason(2345).name == "APP_EXCEPTION_2345"
    assert EndReason(3999).name == "LOCAL_3999"
    assert EndReason(70000).name == "UNKNOWN_70000"
    assert EndReason(-5).name == "UNKNOWN_MINUS_5"


def test_unknown_numbers_do_not_become_members() -> None:
    before = list(ConnectionState)
    assert ConnectionState(77) not in before
    assert list(ConnectionState) == before


@pytest.mark.parametrize("enum", OPEN_ENUMS)
@pytest.mark.parametrize("value", ["1", 1.5, None, b"\1"])
def test_what_is_no_number_is_refused(enum: OpenEnumType, value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        enum(value)  # type: ignore[arg-type]


# ---- the members ----------------------------------------------------------------------------------------------------


def test_connection_states_have_the_numbers_of_gns() -> None:
    assert {state.name: int(state) for state in ConnectionState} == {
        "NONE": 0,
        "CONNECTING": 1,
        "FINDING_ROUTE": 2,
        "CONNECTED": 3,
        "CLOSED_BY_PEER": 4,
        "PROBLEM_DETECTED_LOCALLY": 5,
        "FIN_WAIT": -1,
        "LINGER": -2,
        "DEAD": -3,
    }


def test_every_native_end_reason_has_a_member_a_range_and_a_sentence() -> None:
    assert sorted(EndReason) == sorted(int(number) for number in END_REASONS.split())
    for reason in EndReason:
        assert is_sentence(reason.explanation)
        assert isinstance(reason.can_retry, bool)
        assert isinstance(reason.range, EndReasonRange)
    assert EndReason(1001) is EndReason.GOING_AWAY
    assert EndReason(2001) is EndReason.INTERNAL_ERROR
    assert EndReason(2003) is EndReason.MESSAGE_QUEUE_LIMIT_REACHED
    assert EndReason(2999) is EndReason.SHUTDOWN
    assert EndReason(3006) is EndReason.LOCAL_P2P_ICE_NO_PUBLIC_ADDRESSES
    assert EndReason(5003) is EndReason.MISC_TIMEOUT


def test_trying_again_helps_after_an_outage_but_not_after_a_refusal() -> None:
    assert EndReason.MISC_TIMEOUT.can_retry
    assert EndReason.REMOTE_TIMEOUT.can_retry
    assert EndReason.GOING_AWAY.can_retry
    assert EndReason.MESSAGE_QUEUE_LIMIT_REACHED.can_retry
    assert not EndReason.APP_GENERIC.can_retry
    assert not EndReason.REMOTE_BAD_CERT.can_retry
    assert not EndReason.REMOTE_BAD_PROTOCOL_VERSION.can_retry
    assert not EndReason(1234).can_retry
    assert not EndReason(2345).can_retry
    assert EndReason(5999).can_retry


@given(number=NUMBERS)
def test_the_range_of_an_end_reason_is_its_thousand(number: int) -> None:
    names = {1: "APP", 2: "APP_EXCEPTION", 3: "LOCAL", 4: "REMOTE", 5: "MISC", 9: "INTERNAL"}
    found = EndReason(number).range
    assert found.name == names.get(number // 1000, "UNKNOWN")
    if found.minimum is not None and found.maximum is not None:
        assert found.minimum <= number <= found.maximum


def test_ranges_have_a_sentence_and_survive_pickling() -> None:
    for each in EndReasonRange:
        assert is_sentence(each.explanation)
        assert pickle.loads(pickle.dumps(each)) is each
        assert EndReasonRange(each.name.lower()) is each
    assert (EndReasonRange.UNKNOWN.minimum, EndReasonRange.UNKNOWN.maximum) == (None, None)


def test_results_have_the_numbers_of_steam() -> None:
    assert {result.name: int(result) for result in Result} == {
        "OK": 1,
        "FAIL": 2,
        "NO_CONNECTION": 3,
        "INVALID_PARAM": 8,
        "BUSY": 10,
        "INVALID_STATE": 11,
        "LIMIT_EXCEEDED": 25,
        "DUPLICATE_REQUEST": 29,
        "IP_NOT_FOUND": 31,
        "CONNECT_FAILED": 35,
        "HANDSHAKE_FAILED": 36,
        "IGNORED": 41,
        "DISABLED": 80,
    }


def test_send_flags_add_up_as_in_gns() -> None:
    assert int(SendFlags.UNRELIABLE) == 0
    assert SendFlags.RELIABLE | SendFlags.NO_NAGLE == SendFlags.RELIABLE_NO_NAGLE == SendFlags(9)
    assert SendFlags.NO_DELAY | SendFlags.NO_NAGLE == SendFlags.UNRELIABLE_NO_DELAY == SendFlags(5)
    assert int(SendFlags.UNRELIABLE_NO_NAGLE) == 1
    assert (SendFlags.USE_CURRENT_THREAD, SendFlags.AUTO_RESTART_BROKEN_SESSION) == (16, 32)


def test_info_flags_keep_bits_that_nobody_knows() -> None:
    flags = InfoFlags(1 | 4 | 1024)
    assert flags == 1029
    assert InfoFlags.UNAUTHENTICATED in flags
    assert InfoFlags.LOOPBACK_BUFFERS in flags
    assert InfoFlags.RELAYED not in flags
    assert [int(flag) for flag in InfoFlags] == [1, 2, 4, 8, 16, 32]


def test_small_enums() -> None:
    assert [level.name for level in sorted(LogLevel)] == [
        "NONE",
        "BUG",
        "ERROR",
        "IMPORTANT",
        "WARNING",
        "MSG",
        "VERBOSE",
        "DEBUG",
        "EVERYTHING",
    ]
    assert {kind.name: int(kind) for kind in IdentityType} == {
        "INVALID": 0,
        "IP_ADDRESS": 1,
        "GENERIC_STRING": 2,
        "GENERIC_BYTES": 3,
        "UNKNOWN_TYPE": 4,
        "STEAM_ID": 16,
        "XBOX_PAIRWISE_ID": 17,
        "SONY_PSN": 18,
    }
    assert [int(scope) for scope in ConfigScope] == [1, 2, 3, 4]
    assert [int(kind) for kind in ConfigType] == [1, 2, 3, 4, 5]
    assert f"{LogLevel.WARNING} {ConfigScope.GLOBAL!s:>8}" == "WARNING   GLOBAL"


@pytest.mark.parametrize(("scope", "row"), option_rows(), ids=lambda value: value[1] if isinstance(value, list) else "")
def test_options_have_the_facts_of_gns(scope: ConfigScope, row: list[str]) -> None:
    number, name, default, lowest, highest = row
    option = ConfigValue(int(number))
    assert option.option_name == name
    assert ConfigValue[name.upper()] is option
    assert option.scope is scope
    assert (str(option.default), str(option.minimum), str(option.maximum)) == (default, lowest, highest)
    if "." in default:
        assert option.type is ConfigType.FLOAT
    else:
        assert option.type is (ConfigType.INT64 if name == "connection_user_data" else ConfigType.INT32)


def test_text_options() -> None:
    for number, name in TEXT_OPTIONS.items():
        option = ConfigValue(number)
        assert (option.option_name, option.type, option.scope) == (name, ConfigType.STRING, ConfigScope.CONNECTION)
        assert (option.default, option.minimum, option.maximum) == ("", None, None)


def test_there_are_no_other_options() -> None:
    """Callbacks, and options that an open source build does not register, are left out."""
    assert {int(option) for option in ConfigValue} == {int(row[0]) for _, row in option_rows()} | TEXT_OPTIONS.keys()


def test_options_have_a_sentence_and_a_unit() -> None:
    for option in ConfigValue:
        assert is_sentence(option.explanation)
        assert option.unit in {"", "ms", "us", "bytes", "bytes/s", "percent", "messages", "segments"}
    units = {
        "timeout_initial": "ms",
        "nagle_time": "us",
        "send_rate_min": "bytes/s",
        "fake_packet_loss_send": "percent",
    }
    assert {name: ConfigValue[name.upper()].unit for name in units} == units


def test_options_that_a_connection_is_born_with() -> None:
    assert {option.option_name for option in ConfigValue if option.locked_after_connect} == {
        "ip_allow_without_auth",
        "ip_local_host_allow_without_auth",
        "unencrypted",
        "symmetric_connect",
        "local_virtual_port",
        "p2p_transport_ice_enable",
        "p2p_transport_ice_implementation",
    }


def test_numbers_that_are_no_option_are_refused() -> None:
    for number in (0, 39, 46, 201, 206):
        with pytest.raises(ValueError, match="is not a valid ConfigValue"):
            ConfigValue(number)


def test_the_built_library_has_these_options_with_these_defaults() -> None:
    """Compare the table, which is read from the sources, with the library that was built from them."""
    gns_py.reset_config()
    built = gns_py.list_config()
    kept = {
        ConfigValue.RECV_BUFFER_SIZE: ConfigValue.RECV_BUFFER_SIZE.maximum,
        ConfigValue.RECV_BUFFER_MESSAGES: 65_536,
    }
    assert set(ConfigValue) - set(built) <= {ConfigValue.ECN, ConfigValue.MTU_DATA_SIZE}
    for option, value in built.items():
        if option in kept:
            assert value == kept[option]
        elif option is not ConfigValue.CONNECTION_USER_DATA:
            assert (option, value) == (option, option.default)
