"""The scripts that a ValkeyStore has its server carry out: one for each operation, each of them atomic.

A record lies in two hashes and shares a hash tag, so a slot of a cluster, with its bucket's epoch:

- the head: the record's fields as in RecordHead, *handled:3*, *sent:3*, *acked:3* for lane 3, *state* with the state's
  size; of a session that was ended *epoch*, *reason* and *ttl* alone;
- the body: *state*, and a message under *3:17*, lane and number. A commit writes what is new and deletes what was
  acknowledged, however much else lies there.

Epochs and owners are compared as texts. A script writes only after its last check, so it fails as a whole. Repeated, it
writes nothing but the time to live; that is on purpose, since WAIT waits for what its own connection has written.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, TypeAlias

Argument: TypeAlias = bytes | str | int
Answer: TypeAlias = Any
"""A list, as a script returns it, or a StoreError."""


class Script(NamedTuple):
    """A script and the name by which a server knows it."""

    text: str
    sha: str


class Call(NamedTuple):
    """A script with its keys and arguments."""

    script: Script
    keys: list[str]
    arguments: list[Argument]


_PRELUDE = """
local call, head, body = redis.call, KEYS[1], KEYS[2]
local function store_epoch()
  call('SET', KEYS[3], ARGV[1], 'NX')
  return call('GET', KEYS[3])
end
local function prolong(ttl)
  call('HSET', head, 'ttl', ttl)
  call('PEXPIRE', head, ttl)
  call('PEXPIRE', body, ttl)
end
local function gone(found)
  if not found[1] then return {'missing', store_epoch()} end
  if found[3] then return {'fenced', found[1], found[3]} end
end
local function refusal(found, epoch, owner)
  local refused = gone(found)
  if not refused and (found[1] ~= epoch or found[2] ~= owner) then refused = {'fenced', found[1]} end
  return refused
end
local function fields() return call('HMGET', head, 'epoch', 'owner', 'reason', 'commit') end
local function set(key, first, last)
  for at = first, last, 1000 do call('HSET', key, unpack(ARGV, at, math.min(at + 999, last))) end
end
"""


def _script(body: str, prelude: str = _PRELUDE) -> Script:
    text = f"{prelude}{body}".strip()
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


EPOCH = _script(
    """
call('SET', KEYS[1], ARGV[1], 'NX')
return {'ok', call('GET', KEYS[1])}
""",
    "local call = redis.call\n",
)
"""KEYS: the epoch. ARGV: an epoch, should there be none."""

# KEYS of all that follow, but those of keys: head, body, epoch. ARGV[1]: an epoch, should there be none.
CREATE = _script("""
local epoch, owner, ttl, id_epoch, fields_end = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local present = store_epoch()
if present ~= id_epoch then return {'missing', present} end
local found = fields()
if found[1] then
  local refused = refusal(found, epoch, owner)
  if refused then return refused end
else
  set(head, 7, fields_end)
  set(body, fields_end + 1, #ARGV)
end
prolong(ttl)
return {'ok'}
""")
"""ARGV: 2 epoch, owner, ttl, the id's epoch, 6 the index of the last of: head's fields and values; body's."""

PEEK = _script("""
local found = fields()
return gone(found) or {'ok', call('HGETALL', head)}
""")

LOAD = _script("""
local found = fields()
return gone(found) or {'ok', call('HGETALL', head), call('HGETALL', body)}
""")

CLAIM = _script("""
local expected, epoch, owner, ttl = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local found = fields()
local refused = refusal(found, epoch, owner)
if refused and (gone(found) or found[1] ~= expected) then return refused end
if refused then call('HSET', head, 'epoch', epoch, 'owner', owner) end
prolong(ttl)
return {'ok', call('HGETALL', head), call('HGETALL', body)}
""")
"""ARGV: 2 expected epoch, epoch, owner, ttl."""

COMMIT = _script("""
local function text(n) return string.format('%.0f', n) end
local function number_of(kind, lane) return tonumber(call('HGET', head, kind .. ':' .. lane) or 0) end
local function add(list, field, value)
  list[#list + 1] = field
  list[#list + 1] = value
end
local function in_parts(command, key, list)
  for at = 1, #list, 1000 do call(command, key, unpack(list, at, math.min(at + 999, #list))) end
end
local epoch, owner, number, after, ttl = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local has_state, state, fields_end = ARGV[7], ARGV[8], tonumber(ARGV[9])
local lanes, acked = tonumber(ARGV[10]), tonumber(ARGV[11])
local found = fields()
local refused = refusal(found, epoch, owner)
if refused then return refused end
local stored = tonumber(found[4])
if stored < after then return {'behind', found[4]} end
if stored >= number then
  prolong(ttl)
  return {'ok'}
end

-- All that changes, in few calls. Each lane with messages: its number, that of the first one, how many, the messages.
local fresh, kept, sent = {}, {}, {}
for at = 12, fields_end do fresh[#fresh + 1] = ARGV[at] end
local at = fields_end + 2 * acked + 1
for _ = 1, lanes do
  local lane, first, count = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local last = number_of('sent', lane)
  if first > last + 1 then return {'behind', found[4]} end
  for n = last - first + 2, count do add(kept, lane .. ':' .. text(first + n - 1), ARGV[at + 2 + n]) end
  sent[lane] = math.max(last, first + count - 1)
  add(fresh, 'sent:' .. lane, text(sent[lane]))
  at = at + 3 + count
end
local old = {}
for at = fields_end + 1, fields_end + 2 * acked, 2 do
  local lane = ARGV[at]
  local last = math.min(tonumber(ARGV[at + 1]), sent[lane] or number_of('sent', lane))
  local first = number_of('acked', lane) + 1
  for n = first, last do old[#old + 1] = lane .. ':' .. text(n) end
  if last >= first then add(fresh, 'acked:' .. lane, text(last)) end
end
if has_state == '1' then
  add(fresh, 'state', #state)
  add(kept, 'state', state)
end
in_parts('HSET', head, fresh)
in_parts('HSET', body, kept)
in_parts('HDEL', body, old)
prolong(ttl)
return {'ok'}
""")
"""ARGV: 2 epoch, owner, number, after, ttl, 7 has a state, state, 9 the index of the last of the head's fields and
values, the number of lanes with messages, the number of acked lanes; 12 head's fields and values; acked lanes and
numbers; messages."""

TOUCH = _script("""
local refused = refusal(fields(), ARGV[2], ARGV[3])
if refused then return refused end
prolong(ARGV[4])
return {'ok'}
""")
"""ARGV: 2 epoch, owner, ttl."""

DELETE = _script("""
local found = fields()
if not found[1] then return {'ok'} end
local refused = refusal(found, ARGV[2], ARGV[3])
if refused then return refused end
call('UNLINK', head, body)
return {'ok'}
""")
"""ARGV: 2 epoch, owner."""

END = _script("""
local found = fields()
if not found[1] or found[3] then return {'ok'} end
local ttl = call('HGET', head, 'ttl')
call('UNLINK', head, body)
call('HSET', head, 'epoch', string.format('%.0f', found[1] + 1), 'reason', ARGV[2])
prolong(ttl)
return {'ok'}
""")
"""ARGV: 2 reason."""

TAKE_KEY = _script(
    """
local holder = call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[2] then return {'ok', holder} end
call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return {'ok', ARGV[1]}
""",
    "local call = redis.call\n",
)
"""KEYS: the key. ARGV: id, the id that may be replaced or nothing, ttl."""

FREE_KEY = _script(
    """
if call('GET', KEYS[1]) == ARGV[1] then call('DEL', KEYS[1]) end
return {'ok'}
""",
    "local call = redis.call\n",
)
"""KEYS: the key. ARGV: id."""

FIND_KEY = _script("return {'ok', call('GET', KEYS[1])}", "local call = redis.call\n")
"""KEYS: the key."""

READS = {PEEK, LOAD, FIND_KEY}
ALL = [EPOCH, CREATE, PEEK, LOAD, CLAIM, COMMIT, TOUCH, DELETE, END, TAKE_KEY, FREE_KEY, FIND_KEY]
