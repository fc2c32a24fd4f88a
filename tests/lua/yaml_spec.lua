-- yaml: documents as Lua tables, with places and source texts beside them.
local json = require("orrery.json")
local yaml = require("orrery.yaml")

local function refused(text, name)
  local ok, err = pcall(yaml.decode, text, { name = name })
  assert.is_false(ok)
  assert.is_table(err)
  return err
end

local function place(line, column)
  return line * 65536 + column
end

describe("yaml", function()
  it("makes only true, false, null and numbers anything but text", function()
    local list = yaml.decode("[yes, no, on, true, 0x1, 1.5, 2024-01-01, '1']")
    assert.are.same({ "yes", "no", "on", true, 1, 1.5, "2024-01-01", "1" },
      { table.unpack(list) })
    local v = yaml.decode("a: ~\nb:\n")
    assert.are.equal(json.null, v.a)
    assert.are.equal(json.null, v.b)
  end)

  it("tells an empty list from an empty mapping", function()
    local v = yaml.decode("l: []\nm: {}\n")
    assert.is_true(json.is_array(v.l))
    assert.is_false(json.is_array(v.m))
    assert.are.equal('{"l":[],"m":{}}', json.encode(v))
  end)

  it("keeps the text of keys", function()
    assert.are.same({ ["1"] = 1, ["0.10"] = 2, ["true"] = 3, ["~"] = 4 },
      yaml.decode("1: 1\n0.10: 2\ntrue: 3\n~: 4\n"))
  end)

  it("says where each value stands", function()
    local v, info = yaml.decode("a: 1\nb:\n  - x\n  - y: 2\n")
    assert.are.equal(place(1, 4), info.lines[v].a)
    assert.are.equal(place(3, 3), info.lines[v].b)
    assert.are.equal(place(1, 1), info.lines[v][0])
    assert.are.equal(place(4, 5), info.lines[v.b][2])
    assert.are.equal(place(4, 8), info.lines[v.b[2]].y)
  end)

  it("keeps how numbers, booleans and nulls were written", function()
    local v, info = yaml.decode("a: 0.10\nb: ['0.10', TRUE, ~, word]\nc: x\n")
    assert.are.same({ a = "0.10" }, info.texts[v])
    assert.are.same({ [2] = "TRUE", [3] = "~" }, info.texts[v.b])
    assert.is_nil(info.texts[yaml.decode("a: x")])
  end)

  it("gives a lone scalar's place and text", function()
    local v, info = yaml.decode("\n 0.10")
    assert.are.equal(0.1, v)
    assert.are.equal(place(2, 2), info.lines[info][1])
    assert.are.equal("0.10", info.texts[info][1])
  end)

  it("writes aliases out, so that no two values are one table", function()
    local v, info = yaml.decode("a: &x {k: [1]}\nb: *x\n")
    assert.are.same(v.a, v.b)
    assert.are_not.equal(v.a, v.b)
    assert.are.equal(place(2, 4), info.lines[v].b)
    assert.are.equal(place(1, 11), info.lines[v.b].k)
  end)

  it("merges", function()
    assert.are.same({ x = 1, y = 3 }, yaml.decode("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n").b)
    assert.are.same({ ["<<"] = "x" }, yaml.decode("'<<': x\n"))
  end)

  it("reads an empty document as null", function()
    assert.are.equal(json.null, (yaml.decode("")))
    assert.are.equal(json.null, (yaml.decode("# nothing\n")))
  end)

  it("names file, line and column of a mistake", function()
    local err = refused("a: 1\nrun: {{params.x}} -v # note\n", "x.yaml")
    assert.are.equal('x.yaml:2:6: a value that starts with {{ must be quoted: "{{params.x}} -v"',
      tostring(err))
    assert.are.equal("EINVAL", err.code)
    assert.are.equal(2, err.line)
    assert.are.equal(6, err.column)
    assert.are.equal("yaml:2:1: the key 'a' is already there, on line 1, column 1",
      tostring(refused("a: 1\na: 2")))
  end)

  it("refuses bombs before building them", function()
    local lines = { "a0: &a0 [x,x,x,x,x,x,x,x,x,x]" }
    for i = 1, 20 do
      lines[#lines + 1] = ("a%d: &a%d [%s]"):format(i, i, ("*a" .. i - 1 .. ","):rep(10))
    end
    assert.are.equal("ELIMIT", refused(table.concat(lines, "\n")).code)
    assert.are.equal("ELIMIT", refused(("["):rep(100000)).code)
  end)

  it("is not bent by the locale", function()
    local old = os.setlocale(nil, "numeric")
    for _, name in ipairs { "de_DE.UTF-8", "fr_FR.UTF-8" } do
      if os.setlocale(name, "numeric") then break end
    end
    local v = yaml.decode("x: 0.25")
    os.setlocale(old, "numeric")
    assert.are.equal(0.25, v.x)
  end)

  it("reads real workflows", function()
    local fs = require("orrery.fs")
    if not fs.exists("../shared/corpus/workflows") then return pending("no corpus here") end
    for _, path in ipairs(fs.glob("../shared/corpus/workflows/*.yaml")) do
      assert.is_table((yaml.read(path)))
    end
  end)
end)
