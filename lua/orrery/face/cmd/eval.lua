-- orrery eval EXPR: the value of an expression.
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local pretty = require("orrery.face.repl.pretty")
local session = require("orrery.face.repl.session")

local eval = {}

eval.usage = "orrery eval EXPR"
eval.about = [[
Evaluates Lua with the primitives at hand (o, fs, git, json …) and prints the values: strings
as they are, tables as Lua; with --json the first value, as JSON.]]
eval.flags = { "json" }
eval.examples = { { "orrery eval '1 + 1'", "2" },
  { "orrery eval --json 'fs.glob(\"src/**/*.c\")'", "a JSON list" },
  { "orrery eval 'o.load(\"site\").doc'", "a field of a workflow" } }

-- The first value: a document is one.
local function as_json(values)
  local v = values[1]
  if v == nil then v = pack.null end
  local text, why = json.encode(v, { lossy = true, indent = 2, root = "value" })
  if not text then errors.raise("script", errors.text(why)) end
  return text .. "\n"
end

local function as_text(values)
  local out = {}
  for i = 1, values.n do
    local v = values[i]
    out[i] = (type(v) == "string" and v or pretty.value(v)) .. "\n"
  end
  return table.concat(out)
end

--- Prints the value.
---@param c table the invocation
---@return integer
function eval.main(c)
  local text = table.concat(c.words, " ")
  if #c.words == 0 then errors.raise("usage", "eval needs an expression: orrery eval EXPR") end
  require("orrery.core.term").end_with_stdout()
  local s <close> = session.new()
  local how, got = s:eval(text, "=eval")
  if how ~= "ok" then
    local why = how == "error" and errors.text(got) or got
    local place, rest = why:match("^(eval:%d+): (.*)$")
    errors.raise(how == "error" and got.code == "interrupted" and "interrupted" or "script",
      place and place .. ": error: " .. rest or why, how == "error" and { hint = got.hint,
        traceback = got.traceback } or nil)
  end
  c.out(c.opts.json and as_json(got) or as_text(got))
  return 0
end

return eval
