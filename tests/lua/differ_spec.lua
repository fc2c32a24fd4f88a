-- How two manifests differ, in words.
local differ = require("orrery.run.memo.differ")

local function texts(old, new)
  local out = {}
  for i, r in ipairs(differ.of(old, new)) do out[i] = r.text end
  return out
end

local function says(want, old, new) assert.are.same(want, texts(old, new)) end

describe("the difference of two manifests", function()
  it("is none of equal ones, whatever the order of their tables", function()
    says({}, { v = 3, with = { a = 1, b = { 2 } } }, { with = { b = { 2 }, a = 1 }, v = 3 })
  end)

  it("names each kind of part", function()
    local d = "digest"
    for text, pair in pairs {
      ["the format of keys 2 → 3"] = { { v = 2 }, { v = 3 } },
      ["the kind run → call"] = { { kind = "run" }, { kind = "call" } },
      ["model a → b"] = { { model = "a" }, { model = "b" } },
      ["the prompt changed"] = { { prompt = "a" }, { prompt = "b" } },
      ["with.n 1 → 2"] = { { with = { n = 1 } }, { with = { n = 2 } } },
      ["item a → b"] = { { ctx = { item = "a" } }, { ctx = { item = "b" } } },
      ["needs x now"] = { {}, { needs = { x = d } } },
      ["no longer needs x"] = { { needs = { x = d } }, {} },
      ["x has a new result"] = { { needs = { x = "e" } }, { needs = { x = d } } },
      ["tool cc is new"] = { {}, { tools = { cc = d } } },
      ["tool cc is gone"] = { { tools = { cc = d } }, { tools = { cc = false } } },
      ["module 'm' changed"] = { { identity = "1", modules = { m = "1" } },
        { identity = "2", modules = { m = "2" } } },
      ["a gate was added"] = { {}, { gate = { schema = {} } } },
      ["the gate changed"] = { { gate = { score = 1 } }, { gate = { score = 2 } } },
      ["param n nothing → 1"] = { { params = {} }, { params = { n = 1 } } },
      ["env A unset → 1"] = { { env = { A = false } }, { env = { A = "1" } } },
      ["env A changed"] = { { env = { A = { secret = "1" } } }, { env = { A = { secret = "2" } } } },
      ["output a is no longer declared"] = { { outputs = { "a" } }, {} },
      ["the declared outputs changed"] = { { outputs = { "a", "b" } }, { outputs = { "b", "a" } } },
      ["the command lost: b"] = { { command = { "a", "b" } }, { command = { "a" } } },
    } do
      says({ text }, pair[1], pair[2])
    end
  end)

  it("cuts long commands and values, not inside a character", function()
    local text = texts({ command = "x" }, { command = ("ä"):rep(200) })[1]
    assert.is_true(#text < 150)
    assert.is_truthy(utf8.len(text))
    text = texts({ env = { A = "" } }, { env = { A = ("日本"):rep(40) } })[1]
    assert.is_truthy(utf8.len(text))
  end)

  it("names a file that came, went, or is another one", function()
    says({ "b changed", "c changed its mode", "d is missing", "e appeared", "f was added",
      "a was removed" },
      { inputs = { { "a", "1", false }, { "b", "1", false }, { "c", "1", false }, { "d", "1", false },
        { "e", false } } },
      { inputs = { { "b", "2", false }, { "c", "1", true }, { "d", false }, { "e", "1", false },
        { "f", "1", false } } })
  end)
end)

describe("a line of reasons", function()
  it("has three at most, says a common cause once, and where all are told", function()
    local function one(text, root)
      return { text = text, chain = root and { { step = "s", text = root } } }
    end
    assert.equal("a because r, b because q, c and 1 more: orrery explain s", differ.line(
      { one("a", "r"), one("b", "q"), one("c"), one("d") }, "orrery explain s"))
    assert.equal("a, b because r", differ.line({ one("a", "r"), one("b", "r") }))
  end)
end)
