"""Read the headers of GNS and of our core."""

from __future__ import annotations

import ast
import operator
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from build_native.enums.tables import (
    CORE_END_REASONS,
    CORE_OPTIONS,
    END_REASONS,
    IDENTITY_TYPES,
    INFO_FLAGS,
    LOG_LEVELS,
    NOT_IN_CONFIG,
    OPTIONS,
    RANGES,
    RESULTS,
    SCOPES,
    SEND_FLAGS,
    STATES,
    TYPES,
)

# The names that an open source build with ENABLE_ICE defines, and the values of #if conditions. ECN exists on Windows
# only; the generated files serve all platforms, so it is included, and GNS itself refuses it elsewhere.
DEFINED = {
    "STEAMNETWORKINGSOCKETS_OPENSOURCE",
    "STEAMNETWORKINGSOCKETS_ENABLE_ICE",
    "STEAMNETWORKINGSOCKETS_ENABLE_STEAMNETWORKINGMESSAGES",
}


CONDITIONS = {"PlatformCanSendECN()": True}


C_TYPES = {"int32": "Int32", "int64": "Int64", "float": "Float", "std::string": "String"}


LIMITS = {"INT_MAX": 2**31 - 1, "INT32_MAX": 2**31 - 1}


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.BitOr: operator.or_}


Number = int | float


Constants = dict[str, Number]


def fail(message: str) -> NoReturn:
    """Stop the generator with a message."""
    raise SystemExit(f"build_native.enums: {message}")


def read(path: Path) -> str:
    """Return the text of a C++ file without comments. No string in these files may contain a comment mark."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)


def evaluate(expression: str, known: Constants) -> Number:
    """Return the value of a C++ expression of numbers and known names."""

    def value(node: ast.expr) -> Number:
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name) if name in known:
                return known[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                number = OPERATORS[type(op)](value(left), value(right))
                assert isinstance(number, int | float)
                return number
        fail(f"cannot evaluate {expression!r}")

    return value(ast.parse(re.sub(r"(?<=\d)f\b", "", expression.strip()), mode="eval").body)


def enumerators(text: str, enum: str, prefix: str, known: Constants) -> dict[str, int]:
    """Return the numbers of an enum by name, without the prefix. Add all to `known`, as later expressions use them."""
    found = re.search(rf"enum\s+{enum}\s*\{{(.*?)\}}", text, re.DOTALL) or fail(f"no enum {enum}")
    members: dict[str, int] = {}
    for name, expression in re.findall(r"(\w+)\s*=\s*([^,]+)", found[1]):
        number = known[name] = int(evaluate(expression, known))
        if name.startswith(prefix) and not name.lower().endswith("__force32bit"):
            members[name.removeprefix(prefix)] = number
    return members


def constants(text: str, prefix: str, known: Constants) -> dict[str, int]:
    """Return the integer constants whose names begin with the prefix. Add all to `known`."""
    members: dict[str, int] = {}
    for name, expression in re.findall(rf"const\s+u?int\w*\s+({prefix}\w+)\s*=\s*([^;]+);", text):
        number = known[name] = int(evaluate(expression, known))
        members[name.removeprefix(prefix)] = number
    return members


def active_lines(text: str) -> list[str]:
    """Return the lines that the preprocessor keeps. Only directives near the definitions of options are understood."""
    lines: list[str] = []
    stack: list[bool] = []
    for line in text.splitlines():
        match line.replace("#", "# ").split():
            case ["#", "ifdef", name]:
                stack.append(name in DEFINED)
            case ["#", "if", *condition]:
                # An unknown condition hides its lines; the table then has an option that GNS lacks, which is an error.
                stack.append(CONDITIONS.get(" ".join(condition), False))
            case ["#", "ifndef", name]:
                stack.append(name not in DEFINED)
            case ["#", "else", *_]:
                stack[-1] = not stack[-1]
            case ["#", "elif", *_]:
                stack[-1] = False
            case ["#", "endif", *_]:
                stack.pop()
            case _ if all(stack):
                lines.append(line)
    return lines


@dataclass(frozen=True)
class Option:
    """An option of GNS or of our core."""

    name: str  # in snake case
    number: int
    type: str  # member of ConfigType
    scope: str  # member of ConfigScope
    default: Number | str
    minimum: Number | None
    maximum: Number | None
    unit: str
    locked: bool
    explanation: str
    refused: str = ""  # why it is not a field of Config

    @property
    def python_type(self) -> str:
        """The type annotation of its field in Config."""
        return {"FLOAT": "float", "STRING": "str"}.get(self.type, "int")


def snake(name: str) -> str:
    """Turn TimeoutInitial into timeout_initial, P2P_STUN_ServerList into p2p_stun_server_list."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def described(members: dict[str, int], table: dict[str, str]) -> list[tuple[str, int, str]]:
    """Return (Python name, number, sentence) of each member; both sides must have the same members."""
    if members.keys() != table.keys():
        fail(f"only GNS or only the table has: {', '.join(sorted(members.keys() ^ table.keys()))}")
    return [(snake(name).upper(), number, table[name]) for name, number in members.items()]


def with_retry(members: dict[str, int], table: dict[str, tuple[str, bool]]) -> list[tuple[int, str, str, bool]]:
    """Return (number, Python name, sentence, whether trying again can help) of each end reason."""
    retry = {snake(name).upper(): can_retry for name, (_, can_retry) in table.items()}
    sentences = {name: sentence for name, (sentence, _) in table.items()}
    return [(number, name, text, retry[name]) for name, number, text in described(members, sentences)]


def mtu_data_size(packet: Option, number: int, known: Constants) -> Option:
    """Return the option that GNS does not define like the others: it is computed from the packet size."""
    reserve = known["k_cbSteamNetworkingSocketsNoFragmentHeaderReserve"]
    assert isinstance(packet.default, int)
    assert packet.minimum is not None
    assert packet.maximum is not None
    unit, sentence = OPTIONS["MTU_DataSize"]
    return replace(
        packet,
        name="mtu_data_size",
        number=number,
        default=packet.default - reserve,
        minimum=packet.minimum - reserve,
        maximum=packet.maximum - reserve,
        unit=unit,
        explanation=sentence,
        refused=NOT_IN_CONFIG["MTU_DataSize"],
    )


class Facts:
    """Everything that the generated files contain."""

    def __init__(self, gns: Path, core_header: Path) -> None:
        types = read(gns / "include/steam/steamnetworkingtypes.h")
        internal = read(gns / "src/steamnetworkingsockets/steamnetworkingsockets_internal.h")
        clientlib = gns / "src/steamnetworkingsockets/clientlib"
        core = read(core_header)
        known: Constants = dict(LIMITS)
        constants(
            internal, "k_cbSteamNetworkingSockets(?=MaxUDPMsgLen|MinMTUPacketSize|NoFragmentHeaderReserve)", known
        )
        constants(types, "k_nSteamNetworkingConfig_", known)

        def enum(name: str, prefix: str, table: dict[str, str]) -> list[tuple[str, int, str]]:
            return described(enumerators(types, name, prefix, known), table)

        self.states = enum("ESteamNetworkingConnectionState", "k_ESteamNetworkingConnectionState_", STATES)
        self.scopes = enum("ESteamNetworkingConfigScope", "k_ESteamNetworkingConfig_", SCOPES)
        self.types = enum("ESteamNetworkingConfigDataType", "k_ESteamNetworkingConfig_", TYPES)
        level_prefix = "k_ESteamNetworkingSocketsDebugOutputType_"
        self.levels = enum("ESteamNetworkingSocketsDebugOutputType", level_prefix, LOG_LEVELS)
        self.identity_types = enum("ESteamNetworkingIdentityType", "k_ESteamNetworkingIdentityType_", IDENTITY_TYPES)
        self.send_flags = described(constants(types, "k_nSteamNetworkingSend_", known), SEND_FLAGS)
        self.info_flags = described(constants(types, "k_nSteamNetworkConnectionInfoFlags_", known), INFO_FLAGS)
        results = enumerators(read(gns / "include/steam/steamclientpublic.h"), "EResult", "k_EResult", known)
        # EResult has the results of all of Steam; only those that the sockets library returns matter here.
        self.results = described({name: results[name] for name in RESULTS if name in results}, RESULTS)

        ends = enumerators(types, "ESteamNetConnectionEnd", "k_ESteamNetConnectionEnd_", known)
        ends |= constants(internal, "k_ESteamNetConnectionEnd_", known)
        ends |= constants(read(clientlib / "steamnetworkingsockets_p2p.h"), "k_ESteamNetConnectionEnd_", known)
        self.ranges: list[tuple[str, int | None, int | None, str, bool]] = []
        for name, (prefix, bounds, sentence, retry) in RANGES.items():
            low, high = bounds or (ends.pop(f"{prefix}_Min"), ends.pop(f"{prefix}_Max"))
            self.ranges.append((name, low, high, sentence, retry))
        core_ends = {name: int(number) for name, number in re.findall(r"#define GNS_END_(\w+) (\d+)", core)}
        self.end_reasons = sorted(with_retry(ends, END_REASONS) + with_retry(core_ends, CORE_END_REASONS))

        numbers = enumerators(types, "ESteamNetworkingConfigValue", "k_ESteamNetworkingConfig_", known)
        locked = "".join(read(path) for path in sorted(clientlib.glob("*.cpp")))
        locks = set(re.findall(r"m_connectionConfig\.(\w+)\.Lock\(\)", locked))
        self.options = self._gns_options(clientlib / "csteamnetworkingsockets.cpp", numbers, locks, known)
        self.options += self._core_options(core)

    @staticmethod
    def _gns_options(source: Path, numbers: dict[str, int], locks: set[str], known: Constants) -> list[Option]:
        definition = re.compile(
            r"\s*DEFINE_(GLOBAL|CONNECTON_DEFAULT)_CONFIGVAL\(\s*(.+?)\s*,\s*(\w+)\s*,(.*)\)\s*;\s*"
        )
        options: list[Option] = []

        for line in active_lines(read(source)):
            if not (found := definition.fullmatch(line)) or "*" in found[2]:
                continue
            macro, c_type, name, rest = found.groups()
            default: Number | str = rest.strip().strip('"')
            low: Number | None = None
            high: Number | None = None
            if c_type != "std::string":
                default, *limits = [evaluate(expression, known) for expression in rest.split(",")]
                low, high = limits or [-(2**63), 2**63 - 1]  # GNS defines no limits for its only int64
            option = Option(
                name=snake(name),
                number=numbers[name],
                type=C_TYPES[c_type].upper(),
                scope="GLOBAL" if macro == "GLOBAL" else "CONNECTION",
                default=default,
                minimum=low,
                maximum=high,
                unit=OPTIONS[name][0] if name in OPTIONS else fail(f"no sentence for the option {name}"),
                locked=name in locks,
                explanation=OPTIONS[name][1],
                refused=NOT_IN_CONFIG.get(name, ""),
            )
            options.append(option)
            if name == "MTU_PacketSize":
                options.append(mtu_data_size(option, numbers["MTU_DataSize"], known))
        if missing := {snake(name) for name in OPTIONS} - {option.name for option in options}:
            fail(f"GNS does not have the options {', '.join(sorted(missing))}")
        return sorted(options, key=lambda option: option.scope)  # connection options first, otherwise in GNS's order

    @staticmethod
    def _core_options(core: str) -> list[Option]:
        numbers = {name: int(number) for name, number in re.findall(r"#define GNS_CONFIG_(\w+) (\d+)", core)}
        if numbers.keys() != CORE_OPTIONS.keys():
            fail(f"only gns_core.h or only the table has: {', '.join(sorted(numbers.keys() ^ CORE_OPTIONS.keys()))}")
        return [
            Option(name.lower(), numbers[name], "INT32", "CONNECTION", default, low, high, unit, False, sentence)
            for name, (unit, default, low, high, sentence) in CORE_OPTIONS.items()
        ]
