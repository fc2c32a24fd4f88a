-- schema: what a validation says, where other files are found, what is refused beforehand.
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local project = require("tests.lua.project")
local schemas = require("orrery.knowledge.schema")

local array, null = pack.array, pack.null

local function validator(schema, opts)
  return assert(schemas.get(schema, opts))
end

local function fits(schema, value, opts)
  local ok, list = validator(schema):validate(value, opts)
  assert(ok, list and list[1] and list[1].message)
end

-- The errors as lines "path|message".
local function said(schema, value, opts)
  local ok, list = validator(schema, opts):validate(value)
  assert.is_false(ok)
  local out = {}
  for i, e in ipairs(list) do out[i] = e.path .. "|" .. e.message end
  return out
end

local function refuses(schema, value, ...)
  assert.same({ ... }, said(schema, value))
end

local function bad(schema, opts)
  local v, err = schemas.get(schema, opts)
  assert.is_nil(v)
  return err.message
end

local function decoded(text) return assert(json.decode(text)) end

describe("a validation", function()
  it("says what was expected and what was there", function()
    local ok, list = validator({ properties = { a = { type = "array",
      items = { properties = { b = { type = "string" } } } } } }):validate({ a = { { b = 5 } } })
    assert.is_false(ok)
    assert.same({ { path = "/a/0/b", keyword = "type", message = "expected string, got integer",
      schema_path = "#/properties/a/items/properties/b/type" } }, list)
  end)

  it("names each type as JSON does", function()
    local none = { type = "boolean" }
    refuses(none, null, "|expected boolean, got null")
    refuses(none, nil, "|expected boolean, got null")
    refuses(none, 1, "|expected boolean, got integer")
    refuses(none, 1.5, "|expected boolean, got number 1.5")
    refuses(none, "x", "|expected boolean, got string")
    refuses(none, { 1 }, "|expected boolean, got array")
    refuses(none, array {}, "|expected boolean, got array")
    refuses(none, { a = 1 }, "|expected boolean, got object")
    refuses(none, print, "|expected boolean, got function")
    refuses({ type = { "string", "null" } }, 1, "|expected string or null, got integer")
  end)

  it("says every keyword's complaint in words", function()
    refuses({ enum = { "red", "green" } }, "gren",
      '|expected one of "red", "green", got "gren"; did you mean \'green\'?')
    refuses({ const = 5 }, 6, "|expected 5, got 6")
    refuses({ multipleOf = 0.1 }, 0.25, "|expected a multiple of 0.1, got 0.25")
    refuses({ minimum = 1 }, 0, "|expected at least 1, got 0")
    refuses({ maximum = 1 }, 2, "|expected at most 1, got 2")
    refuses({ exclusiveMinimum = 1 }, 1, "|expected more than 1, got 1")
    refuses({ exclusiveMaximum = 1 }, 1, "|expected less than 1, got 1")
    refuses({ minLength = 2 }, "é", "|expected at least 2 characters, got 1")
    refuses({ maxLength = 1 }, "éé", "|expected at most 1 character, got 2")
    refuses({ pattern = "^a" }, "b", '|"b" does not match ^a')
    refuses({ minItems = 2 }, { 1 }, "|expected at least 2 items, got 1")
    refuses({ maxItems = 1 }, { 1, 2 }, "|expected at most 1 item, got 2")
    refuses({ uniqueItems = true }, { 1, 2, 1.0 }, "|items 0 and 2 are the same")
    refuses({ contains = { type = "string" } }, { 1 },
      "|expected an item that fits 'contains', there is none")
    refuses({ minProperties = 2 }, { a = 1 }, "|expected at least 2 keys, got 1")
    refuses({ ["not"] = { type = "string" } }, "x", "|is what 'not' refuses")
    refuses({ dependentRequired = { a = { "b" } } }, { a = 1 }, "|'b' is missing; 'a' needs it")
    refuses(false, 1, "|nothing is allowed here")
    refuses({ properties = { a = false } }, { a = 1 }, "/a|nothing is allowed here")
  end)

  it("lists all that is wrong, in the order of the keys", function()
    refuses({ required = { "name" }, additionalProperties = false,
      properties = { name = {}, size = { type = "integer" } } }, { nmae = 1, size = "x" },
      "|'name' is missing; there is 'nmae'",
      "/nmae|there is no key 'nmae'; did you mean 'name'?",
      "/size|expected integer, got string")
  end)

  it("stops the list at a hundred", function()
    local list = {}
    for i = 1, 500 do list[i] = "x" end
    assert.equal(100, #said({ items = { type = "integer" } }, list))
  end)

  it("goes on about the alternative that was meant", function()
    local shape = { oneOf = { { properties = { kind = { const = "a" }, n = { type = "integer" } } },
      { properties = { kind = { const = "b" }, n = { type = "string" } } } } }
    refuses(shape, { kind = "b", n = 5 }, "/n|expected string, got integer")
    refuses({ anyOf = { { type = "null" }, { type = "object", required = { "x" } } } }, { y = 1 },
      "|'x' is missing")
    refuses({ anyOf = { { type = "integer" }, { type = "boolean" } } }, "x",
      "|fits none of 2 alternatives: expected integer, got string; expected boolean, got string")
    refuses({ oneOf = { { type = "integer" }, { minimum = 3 } } }, 5,
      "|fits alternatives 1 and 2; only one may fit")
  end)

  it("keeps long values short", function()
    local message = said({ const = 1 }, ("é"):rep(500))[1]
    assert(#message < 120, message)
    assert(utf8.len(message))
  end)

  it("escapes keys in pointers", function()
    local _, list = validator({ properties = { ["a/b~c"] = { type = "null" } } })
      :validate({ ["a/b~c"] = 1 })
    assert.equal("/a~1b~0c", list[1].path)
    assert.equal("#/properties/a~1b~0c/type", list[1].schema_path)
  end)

  it("ends when a pattern would not", function()
    local message = said({ pattern = "^(a+)+$" }, ("a"):rep(5000) .. "b")[1]
    assert(message:find("the pattern", 1, true) or message:find("does not match", 1, true))
  end)
end)

describe("a value", function()
  it("is an object or an array when it is an empty table from Lua", function()
    fits({ type = "object" }, {})
    fits({ type = "array" }, {})
    fits({ type = "array", required = { "a" } }, {})
    refuses({ type = "object", required = { "a" } }, {}, "|'a' is missing")
    refuses({ type = "array", minItems = 1 }, {}, "|expected at least 1 item, got 0")
    refuses({ required = { "a" } }, {}, "|'a' is missing")
    refuses({ minItems = 1 }, {}, "|expected at least 1 item, got 0")
    fits({ const = array {} }, {})
  end)

  it("is an object when it was decoded from {}", function()
    fits({ type = "object" }, decoded("{}"), { decoded = true })
    assert.is_false(validator({ type = "array" }):validate(decoded("{}"), { decoded = true }))
    assert.is_false(validator({ type = "object" }):validate(decoded("[]"), { decoded = true }))
    assert.is_false(validator({ const = array {} }):validate({}, { decoded = true }))
  end)

  it("is an integer when it is whole, except in draft 4", function()
    fits({ type = "integer" }, 1.0)
    fits({ type = "integer" }, 1e300)
    refuses({ type = "integer" }, 0 / 0, "|expected integer, got number nan")
    assert.is_false(validator({ type = "integer" }, { draft = 4 }):validate(1.0))
    fits({ type = "integer" }, math.mininteger)
  end)

  it("compares by value", function()
    fits({ const = 1 }, 1.0)
    fits({ enum = { { a = { 1, 2 } } } }, { a = { 1.0, 2 } })
    assert.is_false(validator({ const = math.maxinteger }):validate(2.0 ^ 63))
    assert.is_false(validator({ const = 0 }):validate(false))
    assert.is_false(validator({ const = { a = 1 } }):validate({ a = 1, b = 2 }))
    refuses({ uniqueItems = true }, { { a = 1 }, { a = 1.0 } }, "|items 0 and 1 are the same")
    fits({ uniqueItems = true }, { 1, true, "1", null, { 1 }, { "1" } })
  end)

  it("is a multiple as people count, exactly", function()
    local function multiple(x, m) return validator({ multipleOf = m }):validate(x) end
    for _, c in ipairs { { 0.3, 0.1 }, { 4.35, 0.01 }, { 1.1, 0.1 }, { 9007199254740993, 3 },
      { 1e308, 0.5 }, { -0.0075, 0.0001 }, { 0, 7 }, { 0.0, 0.3 }, { math.mininteger, 2 },
      { 1e22, 1e21 }, { 3e-300, 1e-300 } } do
      assert.is_true(multiple(c[1], c[2]), c[1] .. " of " .. c[2])
    end
    for _, c in ipairs { { 0.35, 0.1 }, { 0.00751, 0.0001 }, { 9007199254740993, 2 },
      { 1e308, 0.123456789 }, { 1, 1e300 }, { math.huge, 1 }, { 0 / 0, 1 },
      { math.maxinteger, 2.0 }, { 0.5, 9007199254740993 } } do
      assert.is_false(multiple(c[1], c[2]), c[1] .. " of " .. c[2])
    end
  end)

  it("stays as it was: nothing is filled in", function()
    local value = {}
    assert.is_false(validator({ type = "object", required = { "a" },
      properties = { a = { default = 1, const = 1 } } }):validate(value))
    assert.is_nil(next(value))
  end)

  it("may be deep, but not without end", function()
    local tree = { properties = { next = { ["$ref"] = "#" } }, type = "object" }
    local deep = {}
    for _ = 1, 2000 do deep = { next = deep } end
    fits(tree, deep)
    local round = {}
    round.next = round
    local list = said(tree, round)
    assert.equal(1, #list)
    assert(list[1]:find("goes deeper than 3000 levels, or contains itself", 1, true))
    assert.is_false(validator({ ["not"] = tree }):validate(round))
    assert.is_false(validator({ anyOf = { tree, { properties = { next = { ["$ref"] = "#" } } } } })
      :validate(round))
  end)
end)

describe("a schema", function()
  it("is refused with every mistake and its place", function()
    local message = bad({ type = "strng", minimum = "1", pattern = "(", required = "a",
      properties = { a = { ["$ref"] = "#/definitions/foo" }, b = 5 },
      definitions = { fooo = {} }, anyOf = array {} })
    local lines = {}
    for line in message:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(6, #lines)
    assert.equal("schema#/anyOf: must be an array of schemas with one at least", lines[1])
    assert.equal("schema#/minimum: must be a number, not string", lines[2])
    assert(lines[3]:find("^schema#/pattern: pattern '%('"), lines[3])
    assert.equal("schema#/properties/a/$ref: '#/definitions/foo' leads nowhere: there is no "
      .. "'foo'; did you mean 'fooo'?", lines[4])
    assert.equal("schema#/properties/b: a schema is an object, true or false, not integer",
      lines[5])
    assert.equal("and 2 more", lines[6])
  end)

  it("is refused when it comes back to itself", function()
    for _, s in ipairs {
      { ["$ref"] = "#" },
      { ["$ref"] = "#/definitions/a", definitions = { a = { ["$ref"] = "#/definitions/b" },
        b = { allOf = { { ["$ref"] = "#/definitions/a" } } } } },
      { anyOf = { { type = "null" }, { ["not"] = { ["$ref"] = "#" } } } },
    } do
      assert(bad(s):find("comes back to itself without going into the value", 1, true))
    end
    fits({ ["$ref"] = "#/$defs/list", ["$defs"] = { list = { items = { ["$ref"] = "#/$defs/list" } } } },
      { { {} } })
  end)

  it("is refused when its draft or a type of item is unknown", function()
    assert(bad({ ["$schema"] = "http://json-schema.org/draft-03/schema#" })
      :find("there are 4, 6, 7, 2019-09 and 2020-12", 1, true))
    assert(bad({ ["$schema"] = "https://json-schema.org/draft/2020-12/schema", items = { {} } })
      :find("a list of schemas is prefixItems in this draft", 1, true))
    assert(bad({ items = { { type = "strin" } } }):find("did you mean 'string'?", 1, true))
    assert(bad("nowhere.json"):find("nowhere.json", 1, true))
    assert(bad({ properties = print }):find("schema.properties", 1, true))
  end)

  it("without a draft takes lists of items of old ones, too", function()
    refuses({ items = { { type = "string" } }, additionalItems = false }, { "a", 1 },
      "/1|expected at most 1 item")
    refuses({ prefixItems = { { type = "string" } }, items = { type = "null" } }, { 1, 1 },
      "/0|expected string, got integer", "/1|expected null, got integer")
  end)

  it("loads again and again with the same $id", function()
    for i = 1, 3 do
      fits({ ["$schema"] = "http://json-schema.org/draft-07/schema#", title = "no " .. i,
        ["$id"] = "https://example.com/a.json", properties = { a = { ["$ref"] = "#/definitions/x" } },
        definitions = { x = { type = "integer" } } }, { a = 1 })
    end
  end)

  it("may be one of schemas", function()
    for _, name in ipairs { "http://json-schema.org/draft-04/schema#",
      "http://json-schema.org/draft-06/schema#", "http://json-schema.org/draft-07/schema",
      "https://json-schema.org/draft/2019-09/schema",
      "https://json-schema.org/draft/2020-12/schema" } do
      local v = validator({ ["$ref"] = name })
      assert.is_true(v:validate({ properties = { a = { minLength = 3 } } }))
      assert.is_false(v:validate({ properties = { a = { minLength = "3" } } }))
    end
  end)

  it("tells names of properties from keywords", function()
    fits({ properties = { ["$ref"] = { type = "string" }, ["$id"] = {}, type = {} } },
      { ["$ref"] = "x", type = 5 })
    assert.is_false(validator({ properties = { ["$ref"] = { type = "string" } } })
      :validate({ ["$ref"] = 5 }))
  end)

  it("asserts formats only on request", function()
    fits({ format = "date" }, "yesterday")
    assert.same({ '|"yesterday" is no date' }, said({ format = "date" }, "yesterday",
      { formats = true }))
    assert.is_true(validator({ format = "colour" }, { formats = true }):validate("x"))
  end)

  it("knows what was not evaluated", function()
    local s = { properties = { a = {} }, anyOf = { { properties = { b = { const = 1 } } },
      { properties = { c = {} } } }, unevaluatedProperties = false }
    fits(s, { a = 1, b = 1, c = 2 })
    refuses(s, { a = 1, b = 2 }, "/b|there is no key 'b'")
    refuses({ prefixItems = { {} }, contains = { const = 5 }, unevaluatedItems = false },
      { 1, 5, 6 }, "/2|expected at most 2 items")
  end)

  it("is not changed by what the caller does to its table afterwards", function()
    local s = { properties = { a = { type = "string" } } }
    local v = validator(s)
    s.properties.a.type = "integer"
    assert.is_true(v:validate({ a = "x" }))
    assert.is_true(validator(s):validate({ a = 1 }))
  end)

  it("is compiled where a value reaches it, and kept", function()
    local v = validator({ properties = { a = { properties = { b = { type = "null" } } } } })
    local function compiled()
      local n = 0
      for k in pairs(v.set.checks) do n = n + (type(k) == "table" and 1 or 0) end
      return n
    end
    assert.equal(0, compiled())
    v:validate({})
    assert.equal(1, compiled())
    v:validate({ a = { b = null } })
    assert.equal(3, compiled())
    v:validate({ a = { b = null } })
    assert.equal(3, compiled())
  end)

  it("is kept by its content as long as somebody wants it", function()
    local cache = {}
    local v = validator({ type = "null" }, { cache = cache })
    assert.equal(v, validator({ type = "null" }, { cache = cache }))
    assert.equal(v, validator({ type = "null" }))
    assert.not_equal(v, validator({ type = "string" }, { cache = cache }))
    local weak
    do
      local mine = validator({ type = "null", title = "nobody's" })
      weak = setmetatable({ mine }, { __mode = "v" })
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)

describe("schemas in files", function()
  it("refer to each other, and to the root from a table", function()
    project.with({
      ["schemas/a.json"] = '{"properties":{"b":{"$ref":"parts/b.json#/$defs/n"}}}',
      ["schemas/parts/b.json"] = '{"$defs":{"n":{"$ref":"../c.json"}}}',
      ["schemas/c.json"] = '{"type":"integer"}',
    }, function(root)
      local v = validator("schemas/a.json", { root = root })
      local ok, list = v:validate({ b = "x" })
      assert.is_false(ok)
      assert.equal("schemas/c.json#/type", list[1].schema_path)
      local names = {}
      for name, digest in pairs(v.files) do
        assert.equal(64, #digest)
        names[#names + 1] = name
      end
      table.sort(names)
      assert.same({ "schemas/a.json", "schemas/c.json", "schemas/parts/b.json" }, names)
      assert.is_false(validator({ ["$ref"] = "schemas/c.json" }, { root = root }):validate("x"))
    end)
  end)

  it("are read anew when one of them changed", function()
    project.with({ ["a.json"] = '{"$ref":"b.json"}', ["b.json"] = '{"type":"integer"}' },
      function(root)
        local opts = { root = root, cache = {} }
        local first = validator("a.json", opts)
        assert.equal(first, validator("a.json", opts))
        assert.is_true(first:validate(1))
        assert(fs.write_atomic(root .. "/b.json", '{"type":"string"}'))
        assert.is_false(validator("a.json", opts):validate(1))
        assert(fs.write_atomic(root .. "/a.json", "true"))
        assert.is_true(validator("a.json", opts):validate(1))
      end)
  end)

  it("are found by $id, beside each other or in the directory", function()
    project.with({
      ["s/a.json"] = '{"$id":"https://x.org/s/a.json","items":{"$ref":"b.json"}}',
      ["s/b.json"] = '{"type":"integer"}',
      ["s/c.json"] = '{"$ref":"https://y.org/other"}',
      ["s/deep/named.json"] = '{"$id":"https://y.org/other","type":"null"}',
    }, function(root)
      assert.is_false(validator("s/a.json", { root = root }):validate({ "x" }))
      assert(bad("s/c.json", { root = root }):find("no file in s has this $id", 1, true))
      assert.is_true(validator("s/c.json", { root = root, dir = "s" }):validate(null))
    end)
  end)

  it("are named in what is wrong with them", function()
    project.with({
      ["a.json"] = '{"properties":{"b":{"$ref":"b.json"},"c":{"$ref":"c.json"}}}',
      ["b.json"] = '{"type":"strin"}', ["d.json"] = '{"type":', ["e.json"] = "5",
    }, function(root)
      local message = bad("a.json", { root = root })
      assert(message:find("a.json#/properties/c/$ref: 'c.json' leads nowhere", 1, true), message)
      assert(message:find("b.json#/type: there is no type 'strin'", 1, true), message)
      assert(bad("d.json", { root = root }):find("d.json:1:9:", 1, true))
      assert.equal("e.json: a schema is an object, true or false", bad("e.json", { root = root }))
    end)
  end)

  it("never lead out of the root", function()
    project.with({ ["in/a.json"] = '{"$ref":"../../../../etc/x.json"}',
      ["in/b.json"] = '{"$ref":"file:///etc/hostname"}' }, function(root)
      local message = bad("in/a.json", { root = root })
      assert(message:find(root .. "/etc/x.json", 1, true), message)
      assert(bad("in/b.json", { root = root }):find("outside the root", 1, true))
    end)
  end)

  it("work with a key that is there twice, and say so", function()
    project.with({ ["a.json"] = '{"type":"string",\n"type":"integer"}' }, function(root)
      local v = validator("a.json", { root = root })
      assert.is_true(v:validate(1))
      assert.equal('a.json:2:1: duplicate key "type"; the last one counts', v.remark)
    end)
  end)

  it("of a real collection all compile", function()
    local dir = os.getenv("ORRERY_SCHEMA_CORPUS") or "../shared/corpus/schemas"
    if not fs.stat(dir) then return pending("no corpus here") end
    local list = fs.glob("*.json", { root = dir, ignore = false })
    assert(#list > 0)
    for _, name in ipairs(list) do
      local v = validator(name, { root = dir })
      v:validate({ a = 1 })
    end
  end)
end)

describe("orrery.schema", function()
  local schema = require("orrery.schema")

  it("raises what is wrong with a schema and returns what is wrong with a value", function()
    local ok, err = pcall(schema.get, { type = "x" })
    assert.is_false(ok)
    assert.equal("EINVAL", err.code)
    assert.is_true(schema.validate(5, { type = "integer" }))
    local fit, list = schema.validate("x", { type = "integer" })
    assert.is_false(fit)
    assert.equal("expected integer, got string", list[1].message)
  end)

  it("refuses options it does not know", function()
    assert.has_error(function() schema.get({}, { format = true }) end)
    assert.has_error(function() schema.get({}, { draft = 3 }) end)
  end)
end)
