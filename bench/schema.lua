local fs = require("orrery.core.fs")
local schemas = require("orrery.knowledge.schema")

-- Real schemas when ORRERY_SCHEMAS names their directory, else as many of a usual size.
local function directory(b)
  local dir = os.getenv("ORRERY_SCHEMAS")
  if dir then return dir, fs.glob({ "*.json" }, { root = dir, ignore = false }) end
  local names = {}
  for i = 1, 105 do
    local fields = {}
    for k = 1, 40 do
      fields[k] = ('"field%d":{"type":"object","required":["a"],"properties":{"a":{"type":'
        .. '"string","pattern":"^[a-z]+-[0-9]+$"},"b":{"type":"array","items":{"$ref":"#/%s"}}}}')
        :format(k, "definitions/one")
    end
    names[i] = ("s%d.json"):format(i)
    dir = b:file("schemas/" .. names[i], ('{"$schema":"http://json-schema.org/draft-07/schema#",'
      .. '"$id":"https://example.org/%d","type":"object","definitions":{"one":{"enum":[1,2]}},'
      .. '"properties":{%s}}'):format(i, table.concat(fields, ","))):match("^(.*)/")
  end
  return dir, names
end

local value = { field1 = { a = "abc-1", b = { 1, 2 } }, title = "x" }

return {
  claim = "a schema is first used in 1 ms, all 105 of a directory in 60 ms, none fails",
  peer = "none (the framework's own: 125 ms, 893 ms for 105, of which two failed)",
  run = function(b)
    local dir, names = directory(b)
    local function first(name, cache)
      local found, why = schemas.get(name, { root = dir, cache = cache })
      assert(found, why and why.message)
      return found, found:validate(value, { decoded = true })
    end
    b:note(("%d schemas of %s"):format(#names, os.getenv("ORRERY_SCHEMAS") and "ORRERY_SCHEMAS"
      or "9 KB each"))
    b:time("first use of one: read, surveyed, a value checked", function(n)
      for i = 1, n do
        collectgarbage()
        first(names[(i - 1) % #names + 1], {})
      end
    end, { n = #names, unit = "ms", goal = "1 ms" })
    b:time("first use of all of them", function()
      collectgarbage()
      local cache = {}
      for _, name in ipairs(names) do first(name, cache) end
    end, { n = 1, unit = "ms", goal = "60 ms" })
    local kept = first(names[1], {})
    b:time("a value checked again", function(n)
      for _ = 1, n do kept:validate(value, { decoded = true }) end
    end, { n = 20000 })
  end,
}
