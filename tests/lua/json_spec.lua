-- json: lossless both ways, strict, with places; cjson as an oracle.
local cjson = require("cjson")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")

local function refused(text, opts)
  local v, err = json.decode(text, opts)
  assert.is_nil(v)
  assert.is_table(err)
  return err
end

local function unwritable(v, opts)
  local text, err = json.encode(v, opts)
  assert.is_nil(text)
  return err.message
end

local function round(v)
  return json.decode(assert(json.encode(v)))
end

-- A random plain value that JSON can hold.
local function random_value(depth)
  local kind = math.random(depth > 4 and 6 or 8)
  if kind == 1 then return math.random(0) end
  if kind == 2 then return math.random(-1000, 1000) / 8 end
  if kind == 3 then
    local d = string.unpack("d", string.pack("j", math.random(0)))
    return (d ~= d or d == 1 / 0 or d == -1 / 0) and 0.1 or d
  end
  if kind == 4 then return pack.null end
  if kind == 5 then return math.random(2) == 1 end
  if kind == 6 then
    local s = {}
    for i = 1, math.random(0, 20) do
      s[i] = utf8.char(math.random(4) == 1 and math.random(0, 0xd7ff) or math.random(0, 127))
    end
    return table.concat(s)
  end
  local t = kind == 7 and pack.array({}) or {}
  for i = 1, math.random(0, 40) // depth do
    t[kind == 7 and i or ("k" .. math.random(0))] = random_value(depth + 1)
  end
  return t
end

describe("json", function()
  it("keeps every int64 and finite double", function()
    local numbers = {
      0, 1, -1, math.maxinteger, math.mininteger, 1.0, -0.0, 0.1, 0.3, 1 / 3, 1e300, 5e-324,
      1.7976931348623157e308, 2.2250738585072011e-308, 2.0 ^ 53, 2.0 ^ 53 + 2, 1e15,
      1e14, 123456.789, 1e-4, 0.00012345, 1e22, 1e23, 9007199254740993.0, 4.35, 0.000001,
      99999999999999.9,
    }
    for _, n in ipairs(numbers) do
      local back = round(n)
      assert.are.equal(math.type(n), math.type(back))
      assert.are.equal(string.pack("n", n), string.pack("n", back))
    end
  end)

  it("writes numbers as short as they can be read", function()
    local want = { [0.1] = "0.1", [100.25] = "100.25", [1e300] = "1e+300", [4.35] = "4.35",
      [-0.5] = "-0.5", [123456789.5] = "123456789.5", [0.001] = "0.001" }
    for n, text in pairs(want) do assert.are.equal(text, json.encode(n)) end
    assert.are.equal("1.0", json.encode(1.0))
    assert.are.equal("1", json.encode(1))
    assert.are.equal("-9223372036854775808", json.encode(math.mininteger))
  end)

  it("reads random decimals exactly as Lua does", function()
    local seed = 99
    math.randomseed(seed)
    for n = 1, 20000 do
      local digits = math.random(1, 25)
      local s = { tostring(math.random(1, 9)) }
      for i = 2, digits do s[i] = tostring(math.random(0, 9)) end
      local text = table.concat(s) .. "." .. math.random(0, 999999)
      if math.random(2) == 1 then text = text .. "e" .. math.random(-330, 280) end
      local got = json.decode(text)
      assert(got == tonumber(text), ("seed %d, round %d: %s"):format(seed, n, text))
    end
  end)

  it("makes a float of a whole number beyond int64, and -0.0 of -0", function()
    assert.are.equal("float", math.type(json.decode("9223372036854775808")))
    assert.are.equal(2.0 ^ 63, json.decode("9223372036854775808"))
    assert.are.equal("integer", math.type(json.decode("-9223372036854775808")))
    assert.are.equal(-1 / 0, 1 / json.decode("-0"))
    assert.are.equal("float", math.type(json.decode("1e2")))
  end)

  it("tells [] from {} and both from null", function()
    assert.are.equal('[[],{},null]', json.encode(json.decode("[ [ ], { }, null ]")))
    assert.is_true(pack.is_array(json.decode("[]")))
    assert.is_false(pack.is_array(json.decode("{}")))
    assert.are.equal(pack.null, json.decode("null"))
    assert.are.equal(cjson.null, json.decode("null"))
  end)

  it("sorts keys by bytes, however they need escaping", function()
    local t = { b = 1, a = 2, [""] = 3, ["a\n"] = 4, ['"'] = 5, ["~"] = 6, ["\u{e9}"] = 7 }
    assert.are.equal('{"":3,"\\"":5,"a":2,"a\\n":4,"b":1,"~":6,"é":7}', json.encode(t))
    local big, want = {}, {}
    for i = 1, 300 do
      big[("key-with-a-long-common-part-%03d"):format(i)] = i
      want[i] = ('"key-with-a-long-common-part-%03d":%d'):format(i, i)
    end
    assert.are.equal("{" .. table.concat(want, ",") .. "}", json.encode(big))
  end)

  it("indents", function()
    local text = json.encode({ a = { 1, 2 }, b = {}, c = pack.array({}) }, { indent = 2 })
    assert.are.equal('{\n  "a": [\n    1,\n    2\n  ],\n  "b": {},\n  "c": []\n}', text)
  end)

  it("reads escapes, surrogate pairs and NUL", function()
    local text = [["\"\\\/\b\f\n\r\t\u00E9\ud83d\ude00\u0000"]]
    assert.are.equal('"\\/\b\f\n\r\té😀\0', json.decode(text))
    assert.are.equal('"\\u0000\\u001f\\"\\\\\\n\127é"', json.encode("\0\31\"\\\n\127é"))
  end)

  it("names place and reason of what is wrong", function()
    local cases = {
      { '{"a":1,\n "b":2 "c"}', 2, 8, "expected ',' or '}'" },
      { '{"a":1,"a":2}', 1, 8, 'duplicate key "a"' },
      { "[1,]", 1, 4, "expected a value" },
      { "[1", 1, 3, "text ends" },
      { "", 1, 1, "text ends, expected a value" },
      { "[1] x", 1, 5, "something follows the value" },
      { '{"a" 1}', 1, 6, "expected ':'" },
      { "{a:1}", 1, 2, "key in double quotes" },
      { '["é\xff"]', 1, 4, "not valid UTF-8" },
      { '["\xed\xa0\x80"]', 1, 3, "not valid UTF-8" },
      { '["\\ud800x"]', 1, 9, "surrogate" },
      { '["\\udc00"]', 1, 4, "surrogate" },
      { '["\\x"]', 1, 4, "unknown escape" },
      { '["\n"]', 1, 3, "control character" },
      { "01", 1, 2, "must not start with 0" },
      { "-", 1, 2, "digit must follow" },
      { "1.", 1, 3, "digit must follow" },
      { "1e", 1, 3, "digit must follow" },
      { "+1", 1, 1, "expected a value" },
      { "NaN", 1, 1, "expected a value" },
      { "1e999", 1, 1, "too large" },
      { "nulL", 1, 1, "expected a value" },
      { "\xef\xbb\xbf1", 1, 1, "byte order mark" },
      { "[1}", 1, 3, "expected ',' or ']'" },
      { "[1,\0]", 1, 4, "byte 0x00" },
    }
    for _, c in ipairs(cases) do
      local err = refused(c[1], { name = "f.json" })
      assert.are.equal(("f.json:%d:%d"):format(c[2], c[3]), err.message:match("^f%.json:%d+:%d+"))
      assert(err.message:find(c[4], 1, true), err.message)
      assert.are.equal(c[2], err.line)
      assert.are.equal(c[3], err.column)
    end
  end)

  it("finds a duplicate key among many", function()
    local keys = {}
    for i = 1, 100 do keys[i] = ('"k%d":%d'):format(i, i) end
    assert(json.decode("{" .. table.concat(keys, ",") .. "}"))
    keys[101] = '"k3":0'
    local err = refused("{" .. table.concat(keys, ",") .. "}")
    assert.truthy(err.message:find('duplicate key "k3"', 1, true))
  end)

  it("lets the last of equal keys count when asked", function()
    local core = require("orrery.core.json")
    local keys = { '"a":1' }
    for i = 2, 40 do keys[i] = ('"k%d":%d'):format(i % 20, i) end
    keys[41] = '"a":null'
    local v = assert(core.decode("{" .. table.concat(keys, ",") .. "}", { last_wins = true }))
    assert.are.equal(require("orrery.core.pack").null, v.a)
    assert.are.equal(40, v.k0)
    assert.are.equal(39, v.k19)
    assert.are.equal(2, core.decode('{"b":1,"b":2}', { last_wins = true }).b)
    assert.is_nil((core.decode('{"b":1,"b":2}', { last_wins = false })))
  end)

  it("caps the depth", function()
    local function nest(n) return ("["):rep(n) .. ("]"):rep(n) end
    assert(json.decode(nest(128)))
    assert.are.equal("ELIMIT", refused(nest(129)).code)
    assert(json.decode(nest(1000), { max_depth = 1000 }))
    assert.are.equal("ELIMIT", refused(("["):rep(1000000)).code)
    assert.are.equal("ELIMIT", refused("[[1]]", { max_depth = 1 }).code)
    assert.has_error(function() json.decode("1", { max_depth = 1001 }) end)
  end)

  it("names the path of what JSON cannot hold", function()
    assert.are.equal("value.x[2]: cannot write NaN or infinity as JSON",
      unwritable({ x = { 1, 0 / 0 } }))
    assert.are.equal("report.f: cannot write as JSON a function",
      unwritable({ f = print }, { root = "report" }))
    assert.are.equal("value.s: not valid UTF-8 at byte 3", unwritable({ s = "ab\xff" }))
    assert.are.equal("value.a: JSON has no integer keys and no lists with holes",
      unwritable({ a = { 1, [3] = 3 } }))
    local t = {}
    t.t = t
    assert.truthy(unwritable(t):find("contains itself", 1, true))
    assert.truthy(unwritable(nil):find("nil", 1, true))
  end)

  it("can be told to replace what is not UTF-8", function()
    local text = json.encode("a\xffb\xe2\x82é", { lossy = true })
    assert.are.equal('"a\u{fffd}b\u{fffd}\u{fffd}é"', text)
  end)

  it("refuses options it does not know", function()
    assert.has_error(function() json.encode(1, { indnet = 2 }) end)
    assert.has_error(function() json.decode("1", { depth = 2 }) end)
  end)

  it("agrees with cjson on what both can hold", function()
    local seed = 31337
    math.randomseed(seed)
    for n = 1, 300 do
      local v = random_value(1)
      local text = json.encode(v)
      local theirs = cjson.decode(text)
      local function agree(a, b)
        if type(a) == "table" then
          for k, x in pairs(a) do
            if not agree(x, b[k]) then return false end
          end
          for k in pairs(b) do
            if a[k] == nil then return false end
          end
          return true
        end
        -- cjson knows only doubles
        return a == b or (math.type(a) == "integer" and a + 0.0 == b)
      end
      assert(agree(json.decode(text), theirs), ("seed %d, value %d"):format(seed, n))
    end
  end)

  it("gives back random values, byte for byte", function()
    local seed = 2718
    math.randomseed(seed)
    for n = 1, 1000 do
      local v = random_value(1)
      local text = json.encode(v, { indent = n % 3 })
      local same = pack.encode(json.decode(text)) == pack.encode(v)
      assert(same, ("seed %d, value %d"):format(seed, n))
    end
  end)

  it("never crashes on damaged text, and re-reads what it accepted", function()
    local seed = 161803
    math.randomseed(seed)
    local inner = { 1, 2.5, "thr\u{e9}\n", { x = -7, y = false } }
    local text = json.encode({ a = inner, b = pack.null })
    for i = 0, #text - 1 do refused(text:sub(1, i)) end
    for n = 1, 20000 do
      local at = math.random(#text)
      local c = string.char(text:byte(at) ~ (1 << math.random(0, 7)))
      local v, err = json.decode(text:sub(1, at - 1) .. c .. text:sub(at + 1))
      if not err then
        assert(pack.encode(round(v)) == pack.encode(v), ("seed %d, round %d"):format(seed, n))
      end
    end
  end)

  it("survives large input", function()
    local items = {}
    for i = 1, 200000 do items[i] = '{"id":' .. i .. ',"s":"xxxxxxxxxxxxxxxx"}' end
    local v = json.decode("[" .. table.concat(items, ",") .. "]")
    assert.are.equal(200000, #v)
    assert.are.equal(200000, v[200000].id)
    assert.are.equal(20 * 1024 * 1024, #json.decode('"' .. ("x"):rep(20 * 1024 * 1024) .. '"'))
  end)
end)
