-- pack: canonical bytes, what is refused and how it is named.
local pack = require("orrery.core.pack")

local function same(a, b)
  if math.type(a) ~= math.type(b) or type(a) ~= type(b) then return false end
  if a ~= a then return b ~= b end
  if type(a) ~= "table" then return a == b end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return getmetatable(a) == getmetatable(b)
end

local function round(v)
  return pack.decode(assert(pack.encode(v)))
end

local function message(v, root)
  local bytes, err = pack.encode(v, root)
  assert.is_nil(bytes)
  assert.are.equal(err.message, tostring(err))
  return err.message, err.code
end

describe("pack", function()
  it("gives back every plain value exactly", function()
    local values = {
      true, false, 0, 1, -1, math.maxinteger, math.mininteger, 0.0, 1.0, -1.5, 0 / 0, 1 / 0, -1 / 0,
      5e-324, 1.7976931348623157e308, "", "a\0b", ("x"):rep(1000), pack.null, pack.array({}), {},
      { 1, 2, 3 }, { a = 1, b = { c = "d" } }, { [1] = 1, [3] = 3 },
      { [-1] = "m", [0] = "z", x = 1 },
      { 1, 2, n = 2 }, { pack.null, false, pack.array({}), {} },
    }
    for i, v in ipairs(values) do
      assert(same(v, round(v)), "value " .. i)
    end
    assert.is_nil(round(nil))
    assert.are.equal("-inf", tostring(1 / round(-0.0)))
  end)

  it("writes the same bytes whatever the order of insertion", function()
    local a, b = {}, {}
    for i = 1, 500 do a["key" .. i] = i end
    for i = 500, 1, -1 do b["key" .. i] = i end
    assert.are.equal(pack.encode(a), pack.encode(b))
    assert.are.equal(pack.digest(a), pack.digest(b))
  end)

  it("puts integer keys before strings and sorts strings by bytes", function()
    local t = { b = true, ["a\0"] = true, a = true, [""] = true, [300] = true, [-1] = true }
    local ints, strings = "\4\1\2\4\xd8\4\2", "\6\0\2\6\1a\2\6\2a\0\2\6\1b\2"
    local bytes, want = pack.encode(t), "\1\9\6" .. ints .. strings
    assert.are.equal(want, bytes)
  end)

  it("keeps integers and floats apart, as values and in digests", function()
    assert.are_not.equal(pack.encode(1), pack.encode(1.0))
    assert.are_not.equal(pack.digest({ 1 }), pack.digest({ 1.0 }))
    assert.are.equal("float", math.type(round(1.0)))
    assert.are.equal("integer", math.type(round(1)))
  end)

  it("writes one NaN", function()
    assert.are.equal(pack.encode(0 / 0), pack.encode(-(0 / 0)))
  end)

  it("tells an empty array from an empty map", function()
    assert.are_not.equal(pack.encode({}), pack.encode(pack.array({})))
    assert.is_true(pack.is_array(round(pack.array({}))))
    assert.is_false(pack.is_array(round({})))
  end)

  it("does not care whether a non-empty sequence is marked", function()
    assert.are.equal(pack.encode({ 1, 2 }), pack.encode(pack.array({ 1, 2 })))
  end)

  it("reads a sequence however its table was filled", function()
    local t = {}
    for i = 100, 1, -1 do t[i] = i end
    local u = {}
    for i = 1, 100 do u[i] = i end
    assert.are.equal(pack.encode(u), pack.encode(t))
  end)

  it("writes a shared table twice", function()
    local shared = { 1 }
    assert.are.same({ a = { 1 }, b = { 1 } }, round({ a = shared, b = shared }))
  end)

  it("names the path of what cannot pass", function()
    local args = { steps = { {}, {}, { run = print } } }
    assert.are.equal("args.steps[3].run: cannot pass a function", message(args, "args"))
    assert.are.equal("value: cannot pass a thread", message(coroutine.create(print)))
    assert.are.equal("value.f: cannot pass a userdata", message({ f = io.stdout }))
    assert.are.equal('value["a b"]: cannot pass a function', message({ ["a b"] = print }))
    assert.are.equal("value.x: cannot pass a table with a metatable",
      message({ x = setmetatable({}, {}) }))
    assert.are.equal("value: cannot pass a key that is a boolean", message({ [true] = 1 }))
    assert.are.equal("value.k: cannot pass a key that is a float", message({ k = { [1.5] = 1 } }))
  end)

  it("names a cycle and too deep a nesting", function()
    local t = {}
    t.a = { b = t }
    assert.are.equal("value.a.b: cannot pass a table that contains itself", message(t))
    local deep = {}
    for _ = 1, 99 do deep = { deep } end
    assert(pack.encode(deep))
    local text, code = message({ deep })
    assert.are.equal("ELIMIT", code)
    assert.truthy(text:find("nested more than 100 tables deep", 1, true))
  end)

  it("ends a value whose tables share parts before it fills the memory", function()
    local t = {}
    for _ = 1, 60 do t = { t, t } end
    local text, code = message(t)
    assert.are.equal("ELIMIT", code)
    assert.truthy(text:find("too much to pass (over 512 MiB or 32 million values)", 1, true), text)
    assert.are.equal("value[1][1]", text:sub(1, 11))
    local long = ("x"):rep(1 << 20)
    local wide = {}
    for i = 1, 600 do wide[i] = long end
    text, code = message(wide)
    assert.are.equal("ELIMIT", code)
    assert.truthy(text:find("^value%[51%d%]: too much to pass"), text)
    local json = require("orrery.core.json")
    local _, err = json.encode(wide)
    assert.truthy(err.message:find("^value%[51%d%]: too much to write as JSON"), err.message)
  end)

  it("leaves a metatable behind that says the raw fields are all there is", function()
    local record = setmetatable({ a = 1 }, { __plain = true, __index = { b = 2 } })
    local back = round({ record })
    assert.are.same({ { a = 1 } }, back)
    assert.is_nil(getmetatable(back[1]))
    assert.are.equal("value: cannot pass a table with a metatable",
      message(setmetatable({}, { __plain = false })))
  end)

  it("refuses an array mark on what is no array", function()
    assert.truthy(message(pack.array({ [2] = 1 })):find("marked as an array", 1, true))
    assert.truthy(message(pack.array({ 1, x = 1 })):find("marked as an array", 1, true))
  end)

  it("keeps messages to one short line for the longest paths", function()
    local t = print
    for _ = 1, 90 do t = { [("k\n"):rep(100)] = t } end
    local text = message(t)
    assert.is_nil(text:find("\n", 1, true))
    assert(#text < 512)
  end)

  it("calls no metamethod", function()
    local called = false
    local function note() called = true end
    local trap = setmetatable({}, { __index = note, __len = note, __pairs = note })
    message({ trap })
    assert.is_false(called)
  end)

  it("digests the encoding", function()
    local hash = require("orrery.core.hash")
    local v = { 1, { a = "b" }, 2.5 }
    assert.are.equal(hash.sha256(pack.encode(v)), pack.digest(v))
  end)

  it("refuses every truncation and every byte too many", function()
    local inner = { 1, 2.5, "three", pack.null, {}, pack.array({}) }
    local bytes = pack.encode({ a = inner, [7] = true })
    for i = 0, #bytes - 1 do
      local v, err = pack.decode(bytes:sub(1, i))
      assert.is_nil(v)
      assert.are.equal("ECORRUPT", err.code)
    end
    assert.are.equal("ECORRUPT", select(2, pack.decode(bytes .. "\0")).code)
  end)

  it("takes only what it would write itself", function()
    local bad = {
      "", "\2\0", "\1", "\1\10", "\1\4\x80\0", "\1\4" .. ("\xff"):rep(9) .. "\2",
      "\1\5" .. ("\xff"):rep(8), "\1\8\0", "\1\8\xff\xff\xff\xff\15", "\1\8\1\0",
      "\1\9\xff\xff\xff\xff\15", "\1\9\1\4\2\2", "\1\9\2\6\1b\2\6\1a\2",
      "\1\9\2\6\1a\2\6\1a\2", "\1\9\2\6\1a\2\4\2\2", "\1\9\1\2\2", "\1\6\5abc",
    }
    for i, bytes in ipairs(bad) do
      local v, err = pack.decode(bytes)
      assert(v == nil and err and err.code == "ECORRUPT", "case " .. i)
    end
  end)

  it("re-encodes whatever damaged bytes it accepts to those bytes", function()
    local seed = 20240607
    math.randomseed(seed)
    local inner = { 1, 2.5, "three", { x = -7, [2] = false } }
    local bytes = pack.encode({ a = inner, b = ("y"):rep(40), [9] = {} })
    for n = 1, 20000 do
      local at = math.random(#bytes)
      local c = string.char(bytes:byte(at) ~ (1 << math.random(0, 7)))
      local damaged = bytes:sub(1, at - 1) .. c .. bytes:sub(at + 1)
      local v, err = pack.decode(damaged)
      if not err then
        assert(pack.encode(v) == damaged, ("seed %d, round %d"):format(seed, n))
      end
    end
  end)

  it("gives back random values", function()
    local seed = 4711
    math.randomseed(seed)
    local function value(depth)
      local kind = math.random(depth > 4 and 6 or 8)
      if kind == 1 then return math.random(0) end
      if kind == 2 then return math.random(-200, 200) end
      if kind == 3 then return string.unpack("d", string.pack("j", math.random(0))) end
      if kind == 4 then return pack.null end
      if kind == 5 then return math.random(2) == 1 end
      if kind == 6 then
        local s = {}
        for i = 1, math.random(0, 12) do s[i] = string.char(math.random(0, 255)) end
        return table.concat(s)
      end
      local t = {}
      for i = 1, math.random(0, 8) do
        local key = kind == 7 and i or value(9)
        if math.type(key) ~= "integer" and type(key) ~= "string" then key = i end
        t[key] = value(depth + 1)
      end
      return t
    end
    for n = 1, 2000 do
      local v = value(1)
      assert(same(v, round(v)), ("seed %d, value %d"):format(seed, n))
    end
  end)

  it("misuse raises", function()
    assert.has_error(function() pack.encode() end)
    assert.has_error(function() pack.decode({}) end)
    assert.has_error(function() pack.array(1) end)
    assert.has_error(function() pack.array(setmetatable({}, {})) end)
  end)
end)
