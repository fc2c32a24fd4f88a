-- registry: artifacts by every key, in order, and as a file that many write.
local core = require("orrery.core.registry")
local pack = require("orrery.core.pack")

local function read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("a")
  f:close()
  return text
end

local function write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

local function names(list)
  local all = {}
  for i, a in ipairs(list) do all[i] = a.id end
  return all
end

describe("registry", function()
  local r, dir, file
  before_each(function()
    r = core.new()
    local p = assert(io.popen("mktemp -d"))
    dir = p:read("l")
    p:close()
    file = dir .. "/registry.json"
  end)
  after_each(function()
    r:close()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  it("gives back what was added, by id, name and place", function()
    local a = { id = "x", name = "report", type = "json", step = "test", path = "out/r.json",
      digest = "abc", size = 7, meta = { score = 1.5, tags = { "a" }, none = pack.null } }
    local id, version = r:add(a)
    a.version = 1
    assert.equal("x", id)
    assert.equal(1, version)
    assert.same(a, r:get("x"))
    assert.same(a, r:by_name("report"))
    assert.same(a, r:at(1))
    assert.is_nil(r:at(2))
    assert.is_nil(r:at(0))
    assert.is_nil(r:get("y"))
    assert.is_true(r:has("x"))
    assert.is_false(r:has("y"))
    assert.equal(1, r:index("x"))
    assert.is_nil(r:index("y"))
    assert.equal(1, r:count())
  end)

  it("hands out copies", function()
    r:add({ name = "a", meta = { 1 } })
    r:get("a@v1").name = "spoilt"
    assert.equal("a", r:get("a@v1").name)
  end)

  it("makes a name registered again the next version", function()
    for i = 1, 3 do assert.same({ "log@v" .. i, i }, { r:add({ name = "log", size = i }) }) end
    assert.equal(3, r:by_name("log").version)
    assert.equal(2, r:by_name("log", 2).size)
    assert.is_nil(r:by_name("log", 4))
    assert.same({ "log@v1", "log@v2", "log@v3" }, names(r:versions("log")))
  end)

  it("lists a type and a step in insertion order", function()
    for i = 1, 6 do
      r:add({ name = "n" .. i, type = i % 2 == 0 and "even" or "odd", step = "s" })
    end
    assert.same({ "n2@v1", "n4@v1", "n6@v1" }, names(r:by_type("even")))
    assert.equal(6, #r:by_step("s"))
    assert.same({}, r:by_type("none"))
  end)

  it("refuses an id that is taken, and what is no artifact", function()
    r:add({ id = "x", name = "a" })
    local id, err = r:add({ id = "x", name = "b" })
    assert.is_nil(id)
    assert.equal("EINVAL", err.code)
    assert.truthy(err.message:find("'x'", 1, true))
    assert.has_error(function() r:add({}) end)
    assert.has_error(function() r:add({ name = "a", size = -1 }) end)
    assert.has_error(function() r:add({ name = "a", path = 1 }) end)
    id, err = r:add({ name = "a", meta = { f = print } })
    assert.is_nil(id)
    assert.truthy(err.message:find("artifact.meta.f", 1, true))
    assert.equal(1, r:count())
  end)

  it("adds many at once as it does one by one", function()
    local list, one = {}, core.new()
    for i = 1, 300 do
      list[i] = { name = "n" .. i % 7, type = i % 2 == 0 and "t" or nil, step = "s" .. i % 3,
        meta = { i }, size = i }
    end
    for _, a in ipairs(list) do one:add(a) end
    assert.are.equal(300, r:add_all(list))
    assert.are.equal(300, r:count())
    for i = 1, 300 do assert.are.same(one:at(i), r:at(i)) end
    assert.are.equal(0, r:add_all({}))
    one:close()
  end)

  it("says which of many it refuses, and keeps those before it", function()
    local n, err = r:add_all({ { name = "a", id = "x" }, { name = "b", id = "x" }, { name = "c" } })
    assert.is_nil(n)
    assert.are.equal(2, err.item)
    assert.are.same({ "x" }, { r:at(1).id, r:at(2) })
    assert.has_error(function() r:add_all({ { name = "a" }, 7 }) end,
      "artifact 2: a table expected, got number")
    assert.are.equal(2, r:count())
    local public <close> = require("orrery.registry").new()
    local ok, why = pcall(public.add_all, public, { { name = "a" }, { type = "b" } })
    assert.is_false(ok)
    assert.is_truthy(tostring(why):find("artifact 2: an artifact needs a name", 1, true))
  end)

  it("saves and loads all there is", function()
    r:add({ name = "a \"quoted\" ü", type = "t", step = "s", path = "p", digest = "d", size = 0,
      meta = { deep = { 1, 2.5, "x", pack.null, pack.array({}) } } })
    r:add({ name = "b" })
    r:add({ id = "given", name = "b", meta = "text" })
    assert.is_true(r:save(file))
    local other = core.new()
    assert.equal(3, other:load(file))
    for i = 1, 3 do assert.same(r:at(i), other:at(i)) end
    assert.equal(0, other:load(file))
  end)

  it("keeps fields of other tools in meta", function()
    write(file, [[{ "version": 1, "artifacts": [
      { "id": "1", "name": "a", "created": "2026", "size": 3.0, "type": null, "tags": [1],
        "meta": { "created": "mine", "k": 1 } },
      { "id": "2", "name": "a", "created": 5, "meta": { "k": 2 } },
      { "id": "3", "name": "c", "x": {}, "meta": "m" } ] }]])
    assert.equal(3, r:load(file))
    assert.same({ created = "mine", k = 1 }, r:get("1").meta)
    assert.equal(3, r:get("1").size)
    assert.same({ created = 5, k = 2 }, r:get("2").meta)
    assert.equal(2, r:get("2").version)
    assert.same({ x = {}, meta = "m" }, r:get("3").meta)
  end)

  it("says where a file is wrong, and then changes nothing", function()
    local wrong = {
      { "{", "1:2" }, { "[]", "1:1" }, { "{}", "artifacts" }, { '{"artifacts": 1}', "1:15" },
      { '{"artifacts": [\n1]}', "2:1" }, { '{"artifacts": [{"name": 1}]}', "1:25" },
      { '{"artifacts": [{"name": "a"},\n {"id": "x"}]}', "2:2" },
      { '{"artifacts": [{"name": "a", "size": -1}]}', "'size'" },
      { '{"artifacts": [{"name": "a", "x": 1, "x": 2}]}', "twice" },
      { '{"artifacts": [{"id": "a", "name": "a"}, {"id": "a", "name": "b"}]}', "'a'" },
      { '{"artifacts": []} x', "1:19" }, { "\0\1\2", "1:1" }, { "", "1:1" },
    }
    for _, case in ipairs(wrong) do
      write(file, case[1])
      local n, err = r:load(file)
      assert.is_nil(n, case[1])
      assert.truthy(err.message:find(case[2], 1, true), case[1] .. " → " .. err.message)
      assert.truthy(err.message:find("registry.json", 1, true), err.message)
      assert.is_nil((r:save(file, { merge = true })))
      assert.equal(case[1], read(file))
    end
    assert.equal(0, r:count())
    local n, err = r:load(dir .. "/none")
    assert.is_nil(n)
    assert.equal("ENOENT", err.code)
  end)

  it("merges with what others saved, and saving again adds nothing", function()
    local other = core.new()
    other:add({ name = "log", path = "theirs" })
    assert(other:save(file, { merge = true }))
    r:add({ name = "log", path = "ours" })
    r:add({ name = "own" })
    assert(r:save(file, { merge = true }))
    assert(r:save(file, { merge = true }))
    assert(other:save(file, { merge = true }))
    local all = core.new()
    assert.equal(3, all:load(file))
    assert.equal("theirs", all:get("log@v1").path)
    assert.equal("ours", all:get("log@v2").path)
    assert.equal("ours", r:get("log@v1").path)
    assert(all:save(file, { merge = true }))
    assert.equal(3, core.new():load(file))
  end)

  it("replaces the file's artifact when an id was given", function()
    local old = core.new()
    old:add({ id = "site", name = "site", digest = "old" })
    old:add({ name = "z" })
    assert(old:save(file))
    r:add({ id = "site", name = "site", digest = "new" })
    assert(r:save(file, { merge = true }))
    local all = core.new()
    assert.equal(2, all:load(file))
    assert.equal("new", all:at(1).digest)
  end)

  it("loses nothing when 64 processes save into one file", function()
    local orrery = os.getenv("ORRERY") or "build/orrery"
    write(dir .. "/writer.lua", [[
      local r = require("orrery.core.registry").new()
      for i = 1, 5 do r:add({ name = "same", step = arg[2] .. "/" .. i }) end
      r:add({ name = "own" .. arg[2] })
      assert(r:save(arg[1], { merge = true }))
      assert(r:save(arg[1], { merge = true }))
    ]])
    local cmd = ("for i in $(seq 64); do '%s' lua '%s/writer.lua' '%s' $i & done; wait"):format(
      orrery, dir, file)
    assert(os.execute(cmd))
    assert.equal(64 * 6, r:load(file))
    local seen = {}
    for _, a in ipairs(r:versions("same")) do seen[a.step] = true end
    for p = 1, 64 do
      assert.is_true(r:has("own" .. p .. "@v1"))
      for i = 1, 5 do assert.is_true(seen[p .. "/" .. i], p .. "/" .. i) end
    end
  end)

  it("leaves no temporary file behind", function()
    r:add({ name = "a" })
    assert(r:save(file, { merge = true }))
    local p = assert(io.popen("ls -A '" .. dir .. "'"))
    assert.equal("registry.json\nregistry.json.lock\n", p:read("a"))
    p:close()
    local ok, err = r:save(dir .. "/no/such/folder.json")
    assert.is_nil(ok)
    assert.equal("ENOENT", err.code)
  end)

  it("raises from its public module, and walks in order", function()
    local registry = require("orrery.registry")
    local reg <close> = registry.new()
    assert.same({ "a@v1", 1 }, { reg:add({ name = "a" }) })
    reg:add({ id = "b", name = "a" })
    local seen = {}
    for i, a in reg:each() do seen[i] = a.id end
    assert.same({ "a@v1", "b" }, seen)
    local ok, err = pcall(reg.add, reg, { id = "b", name = "c" })
    assert.is_false(ok)
    assert.equal("EINVAL", err.code)
    reg:save(file, { merge = true })
    assert.equal(2, registry.load(file):count())
    assert.has_error(function() registry.load(dir .. "/none") end)
    assert.has_error(function() reg:save(file, { merged = true }) end)
  end)

  it("is closed twice, and refuses to work after that", function()
    r:close()
    r:close()
    assert.has_error(function() r:count() end)
  end)

  it("is written over what an earlier file has of other steps, line by line", function()
    local weird = 'a "b"\\ \n\u{e4}'
    r:add { name = "one", step = "x" }
    r:add { name = 'two "step": "x"', step = weird, meta = { step = "x" } }
    r:add { name = "three", step = "y" }
    r:add { name = "four" }
    r:save(file)
    local now <close> = core.new()
    now:add { name = "new", step = weird }
    local to = dir .. "/to.json"
    assert.are.equal(4, now:save_over(to, file, { weird, "x\"", "" }))
    local all <close> = core.new()
    assert.are.equal(4, all:load(to))
    assert.are.same({ "one@v1", "three@v1", "four@v1", "new@v1" },
      { all:at(1).id, all:at(2).id, all:at(3).id, all:at(4).id })
    local same = dir .. "/same.json"
    local none <close> = core.new()
    assert.are.equal(4, none:save_over(same, file, {}))
    assert.are.equal(read(file), read(same))
  end)

  it("is not written over a file when nothing is left, or it is none of ours", function()
    r:add { name = "one", step = "x" }
    r:save(file)
    local none <close> = core.new()
    assert.are.equal(0, none:save_over(dir .. "/to.json", file, { "x" }))
    assert.is_nil(io.open(dir .. "/to.json"))
    write(file, '{ "artifacts": [] }')
    local count, err = none:save_over(dir .. "/to.json", file, {})
    assert.is_nil(count)
    assert.are.equal("ECORRUPT", err.code)
    assert.are.equal("ENOENT", select(2, none:save_over(dir .. "/to.json", dir .. "/no", {})).code)
  end)
end)
