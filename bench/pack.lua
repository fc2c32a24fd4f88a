local json = require("orrery.core.json")
local pack = require("orrery.core.pack")

local function sample()
  local list = {}
  for i = 1, 2000 do
    list[i] = { id = "step-" .. i, exit = 0, seconds = i / 8, ok = true,
      outputs = { { path = "out/file" .. i .. ".o", digest = ("%064x"):format(i), mode = 420 } },
      stdout = ("line of output %d\n"):format(i):rep(4) }
  end
  return list
end

return {
  claim = "values become canonical bytes, and come back, at the speed of memory copies of text",
  peer = "lua-cjson",
  run = function(b)
    local value = sample()
    local bytes = assert(pack.encode(value))
    b:rate("pack.encode", #bytes, function() pack.encode(value) end)
    b:rate("pack.decode", #bytes, function() pack.decode(bytes) end)
    b:rate("pack.digest", #bytes, function() pack.digest(value) end)
    local text = assert(json.encode(value))
    b:rate("json.encode", #text, function() json.encode(value) end)
    b:rate("json.decode", #text, function() json.decode(text) end)
    local cjson = require("cjson")
    b:rate("json.encode", #text, function() cjson.encode(value) end, { who = "lua-cjson" })
    b:rate("json.decode", #text, function() cjson.decode(text) end, { who = "lua-cjson" })
  end,
}
