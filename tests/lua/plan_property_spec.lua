-- The plan against the truth: random small workflows, random edits; what `plan` is sure of is
-- what the run that follows does. Steps do not fail here but where that is allowed.
--
-- ORRERY_PLAN_ROUNDS sets how many plans, ORRERY_PLAN_SEED repeats a failure.
local engine = require("orrery.run.engine")
local errors = require("orrery.kernel.errors")
local fakes = dofile("tests/lua/fakes.lua")
local fs = require("orrery.core.fs")
local load = require("orrery.model.load")

local ROUNDS = tonumber(os.getenv("ORRERY_PLAN_ROUNDS")) or 300
local SEED = tonumber(os.getenv("ORRERY_PLAN_SEED")) or os.time()
local EDITS_A_GRAPH = 6

-- Numbers of its own: what is run draws others.
local function dice(seed)
  local x = seed & 0x7fffffff
  return function(n)
    x = (x * 1103515245 + 12345) & 0x7fffffff
    return (x >> 8) % n + 1
  end
end

local function pick(w, list) return list[w.roll(#list)] end

local function some(w, list, most)
  local out, seen = {}, {}
  for _ = 1, w.roll(most) do
    local one = pick(w, list)
    if not seen[one] then
      seen[one] = true
      out[#out + 1] = one
    end
  end
  return out
end

local function quoted(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = ("%q"):format(v) end
  return table.concat(out, ", ")
end

---------------------------------------------------------------------------
-- graphs: each maker adds one step, or a few, and says what can be read and needed

local function add(w, id, fields)
  w.ids[#w.ids + 1] = id
  if #w.ids > 1 and w.roll(5) == 1 then
    fields = fields .. (", after = %q"):format(w.ids[w.roll(#w.ids - 1)])
  end
  return ('o.step "%s" { %s },'):format(id, fields)
end

local makers = {}

local recipes = { "cat %s > %s", "cat %s | head -c 1 > %s", "cat %s | wc -l > %s",
  "cat %s >/dev/null; echo same > %s" }

function makers.file(w, i)
  local from, out = some(w, w.paths, 3), "out/" .. i
  local inputs = quoted(from) .. (w.roll(4) == 1 and ', "src/*"' or "")
  local text = add(w, "f" .. i, ('run = "(%s; echo %d) 2>/dev/null || true", inputs = { %s }, '
    .. "outputs = { %q }%s"):format(pick(w, recipes):format(table.concat(from, " "), out), w.roll(2),
    inputs, out, w.roll(6) == 1 and ", temp = true" or ""))
  w.paths[#w.paths + 1] = out
  return text
end

function makers.dir(w, i)
  local text = add(w, "d" .. i, ('run = "mkdir -p out/%d.d; for f in src/*; do cp $f out/%d.d/; '
    .. 'done", inputs = { "src/*" }, outputs = { "out/%d.d/%s" }'):format(i, i, i,
    w.roll(2) == 1 and "*" or ""))
  w.paths[#w.paths + 1] = ("out/%d.d/a"):format(i)
  return text .. add(w, "e" .. i, ('run = "cat {{inputs}} > out/%d.e", inputs = { "out/%d.d/*" }, '
    .. 'outputs = { "out/%d.e" }'):format(i, i, i))
end

function makers.always(w, i) return add(w, "a" .. i, 'run = "echo hi"') end

function makers.never(w, i)
  return add(w, "n" .. i, ('run = "cat src/a; :", inputs = { "src/a" }, cache = false'))
end

function makers.twins(w, i)
  local fields = 'run = "cat src/b 2>/dev/null; :", inputs = { "src/b" }'
  return add(w, "t" .. i, fields) .. add(w, "u" .. i, fields)
end

function makers.value(w, i)
  return add(w, "v" .. i, 'run = "cat src/a; echo x", inputs = { "src/a" }, parse = "lines", '
    .. "allow_failure = true")
    .. add(w, "w" .. i, ('call = function(ctx) return #ctx.results.v%d.value end, needs = "v%d"')
    :format(i, i))
end

function makers.params(w, i)
  return add(w, "p" .. i, 'call = function(ctx) return ctx.params.n + 1 end')
    .. add(w, "q" .. i, 'run = "echo {{params.n}} > /dev/null", inputs = {}')
end

function makers.lister(w, i)
  return add(w, "l" .. i, 'call = function() return #require("orrery.fs").glob("out/*") end')
end

function makers.condition(w, i)
  local when = pick(w, { "params.n == 1", "exists('src/c')", "exists('out/1')", "success()" })
  return add(w, "c" .. i, ('run = "cat src/c; :", inputs = { "src/c" }, when = "%s"'):format(when))
end

function makers.fails(w, i)
  return add(w, "x" .. i, 'run = "test ! -e src/c", inputs = { "src/c" }, allow_failure = true')
end

function makers.fan(w, i)
  local items = pick(w, { '{ "a", "b" }', '"{{results.k' .. i .. '.value}}"' })
  return add(w, "k" .. i, 'run = "ls src", inputs = { "src/*" }, parse = "lines"')
    .. add(w, "m" .. i, ('run = "echo {{item}}; :", inputs = { "src/a" }, for_each = %s, '
    .. 'needs = "k%d"'):format(items, i))
    .. add(w, "z" .. i, ('run = "echo after", inputs = {}, needs = "m%d"'):format(i))
end

function makers.group(w, i)
  local inner = add(w, "g" .. i .. "a", 'run = "cat src/a; :", inputs = { "src/a" }')
    .. add(w, "g" .. i .. "b", 'run = "cat src/b 2>&1; : g", inputs = { "src/b" }')
  local more = pick(w, { "", "when = 'params.n == 1', ", "policy = 'race', ", "limit = 1, " })
  return ('o.group "g%d" { %s%s },'):format(i, more, inner)
    .. add(w, "h" .. i, ('run = "echo after", inputs = {}, needs = "g%d"'):format(i))
end

function makers.nested(w, i)
  return add(w, "i" .. i, ('workflow = "inner", with = { n = %s }'):format(
    pick(w, { "1", '"{{params.n}}"' })))
    .. add(w, "j" .. i, ('run = "echo after", inputs = {}, needs = "i%d"'):format(i))
end

local names = {}
for name in pairs(makers) do names[#names + 1] = name end
table.sort(names)

local INNER = [[
local o = require("orrery")
return o.workflow "inner" { params = { n = 1 }, result = "{{results.one.stdout}}",
  o.step "one" { run = "cat src/a; echo {{params.n}}", inputs = { "src/a" } },
  o.step "two" { run = "cat src/b; :", inputs = { "src/b" }, needs = "one" } }
]]

local function graph(w)
  w.ids, w.paths = {}, { "src/a", "src/b", "src/c" }
  local lines = { 'local o = require("orrery")', 'return o.workflow "w" {', "params = { n = 1 }," }
  if w.roll(6) == 1 then
    lines[#lines + 1] = 'finally = { o.step "over" { run = "echo over", inputs = {} } },'
  end
  for i = 1, w.roll(4) do lines[#lines + 1] = makers[pick(w, names)](w, i) end
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

---------------------------------------------------------------------------
-- edits

local function put(w, path, text)
  fs.mkdir((w.root .. "/" .. path):match("^(.*)/"))
  assert(fs.write_atomic(w.root .. "/" .. path, text))
end

local edits = {
  function() return "nothing" end,
  function(w)
    local path = "src/" .. pick(w, { "a", "b", "c" })
    put(w, path, w.roll(3) .. "\n")
    return "write " .. path
  end,
  function(w)
    fs.remove(w.root .. "/src/c")
    return "remove src/c"
  end,
  function(w)
    local path = pick(w, w.paths)
    fs.remove(w.root .. "/" .. path)
    return "remove " .. path
  end,
  function(w)
    fs.remove_tree(w.root .. "/out")
    return "remove out"
  end,
  function(w)
    local path = pick(w, w.paths)
    put(w, path, "by hand\n")
    return "edit " .. path
  end,
  function(w)
    w.n = w.roll(2)
    return "n = " .. w.n
  end,
  function(w)
    w.text = w.text:gsub("echo %d", "echo " .. w.roll(3))
    return "another command"
  end,
  function(w)
    fs.remove(w.root .. "/.orrery/index")
    return "forget the index"
  end,
}

local function options(w)
  local opts = { keep_going = true, signals = false, jobs = w.roll(3), sinks = {} }
  local how = w.roll(10)
  if how == 1 then opts.force = { pick(w, w.ids) } end
  if how == 2 then opts.targets = { pick(w, w.ids) } end
  if how == 3 then opts.targets, opts.only = { pick(w, w.ids) }, true end
  if how == 4 then opts.from = pick(w, w.ids) end
  if how == 5 then opts.cache = pick(w, { "ro", "wo", "off" }) end
  return opts
end

---------------------------------------------------------------------------
-- comparing

local function shown(opts)
  return ("%s %s %s %s %s"):format(opts.cache or "rw", opts.force and "force " .. opts.force[1] or "",
    opts.targets and opts.targets[1] or "", opts.only and "only" or "",
    opts.from and "from " .. opts.from or "")
end

-- What a run did with each step, from its events.
local function watch(opts)
  local did = {}
  opts.sinks[1] = function(ev)
    if ev.ev == "hits" then
      for _, id in ipairs(ev.ids) do did[id] = "hit" end
    elseif ev.ev == "step_finished" then
      did[ev.id] = ev.cached and "hit" or "run"
    elseif ev.ev == "step_skipped" then
      did[ev.id] = ev.why == "when" and "skip" or ev.why
    end
  end
  return did
end

local function workflow(w)
  put(w, "workflows/w.lua", w.text)
  return load.file(w.root .. "/workflows/w.lua", { root = w.root, params = { n = w.n } })
end

local function fan_of(id) return id:match("^(.-)%[") end

-- One plan and the run after it; the difference, or nil.
local function round(w)
  local ok, wf = pcall(workflow, w)
  if not ok then return "does not load: " .. errors.text(wf) end
  local opts = options(w)
  w.log[#w.log + 1] = shown(opts)
  local entries = engine.plan(wf, opts)
  local did = watch(opts)
  engine.run(workflow(w), opts)
  local known = {}
  for _, e in ipairs(entries) do
    known[e.id] = true
    w.count[e.verdict] = (w.count[e.verdict] or 0) + 1
    if e.verdict ~= "maybe" and did[e.id] ~= e.verdict then
      return ("%s: plan said %s (%s), the run %s"):format(e.id, e.verdict, tostring(e.reason),
        tostring(did[e.id]))
    end
  end
  for id in pairs(did) do
    if not known[id] and not known[fan_of(id) or ""] and not known[id:match("^(.-)/") or ""] then
      return id .. " was not in the plan"
    end
  end
end

local function play(seed, count)
  local w = { roll = dice(seed), root = fakes.root(), n = 1, log = {}, count = count }
  put(w, "workflows/inner.lua", INNER)
  for _, name in ipairs({ "a", "b", "c" }) do put(w, "src/" .. name, "0\n") end
  w.text = graph(w)
  for _ = 1, EDITS_A_GRAPH do
    local why = round(w)
    if why then
      error(("ORRERY_PLAN_SEED=%d: %s\nafter: %s\n%s"):format(seed, why,
        table.concat(w.log, " | "), w.text), 0)
    end
    for _ = 1, w.roll(3) do w.log[#w.log + 1] = pick(w, edits)(w) end
  end
end

describe("what a plan is sure of", function()
  after_each(fakes.clean)

  it("is what the run that follows does", function()
    local count = {}
    for i = 0, ROUNDS // EDITS_A_GRAPH - 1 do
      play(SEED + i, count)
      fakes.clean()
    end
    -- A plan that is never sure is no plan.
    assert.is_true(count.run + count.hit > (count.maybe or 0), "more doubt than knowledge")
    assert.is_true(count.skip == nil or count.skip > 0)
  end)
end)
