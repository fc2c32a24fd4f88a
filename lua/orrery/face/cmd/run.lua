-- orrery run [WORKFLOW] [STEP…] [-- ARGS]
local args = require("orrery.face.args")
local color = require("orrery.face.color")
local errors = require("orrery.kernel.errors")
local plain = require("orrery.face.show.plain")
local sys = require("orrery.core.sys")
local target = require("orrery.face.target")
local time = require("orrery.time")

local run = {}

run.help = {
  usage = "orrery run [WORKFLOW] [STEP…] [-- ARGS]",
  text = "Runs a workflow, or some of its steps with what they need.",
  examples = { "orrery run", "orrery run site -j8", "orrery run release -p version=1.4.0",
    "orrery run app 'test:*' -k" },
}

local function number(opts, name)
  local text = opts[name]
  if text == nil then return nil end
  local n = math.tointeger(tonumber(text))
  if not n or n < 1 then
    errors.raise("usage", ("--%s %s: must be a whole number from 1"):format(name, text))
  end
  return n
end

local function forced(list)
  if not list then return nil end
  for _, v in ipairs(list) do
    if v == true then return true end
  end
  return list
end

local function agents_of(list)
  local out = {}
  for _, item in ipairs(list or {}) do
    local name, cmd = item:match("^([^=]+)=(.*)$")
    if name then
      out[name] = cmd
    else
      out["*"] = item
    end
  end
  return out
end

--- Run options from flags; shared by run, plan and resume.
---@param opts table flags
---@param steps string[]
---@param rest string[]?
---@return orrery.RunOptions
function run.options(opts, steps, rest)
  return {
    jobs = number(opts, "jobs"), keep_going = opts["keep-going"],
    targets = #steps > 0 and steps or nil, only = opts.only, from = opts.from,
    force = forced(opts.force), cache = opts.cache, args = rest or {},
    agents = agents_of(opts.agent), timeout = opts.timeout and time.parse(opts.timeout),
    resources = args.pairs(opts.resources, "--resources", true), strict = opts.strict,
    sequential_fallback = opts["sequential-fallback"], yes = forced(opts.yes), sinks = {},
  }
end

--- Streams of a run: what is progress, what is a complaint.
---@param opts table flags
---@param out fun(fd: integer, text: string)
---@return fun(event: table) display
function run.display(opts, out)
  local fd = opts.json and 2 or 1
  local how = opts.quiet and "quiet" or opts.output
  if how == nil or how == "auto" or how == "live" or how == "prefix" then how = "group" end
  return plain.new({ how = how, verbose = opts.verbose,
    paint = color.painter(opts.color, fd, sys.environ()),
    write = function(text) out(fd, text) end,
    complain = function(text) out(2, text) end })
end

--- Runs the command.
---@param opts table flags
---@param words string[]
---@param rest string[]?
---@param out fun(fd: integer, text: string)
---@return integer exit code
function run.main(opts, words, rest, out)
  local wf, steps = target.load(words, args.pairs(opts.param, "-p"), opts)
  if not wf then
    errors.raise("usage", "no workflow named", { hint = "orrery list shows what there is; "
      .. "set default in orrery.lua" })
  end
  local engine = require("orrery.run.engine")
  local options = run.options(opts, steps, rest)
  options.sinks[1] = run.display(opts, out)
  local record = engine.run(wf, options)
  if opts.json then
    local json = require("orrery.core.json")
    out(1, json.encode({ run = record.id, status = record.status, code = record.code,
      result = record.result, failed = record.failed, seconds = record.seconds,
      report = record.report }) .. "\n")
  end
  return record.code
end

return run
