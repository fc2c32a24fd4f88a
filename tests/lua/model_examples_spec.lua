-- The programs of the language's page load and pass check in a project that has their files.
local config = require("orrery.model.config")
local fs = require("orrery.core.fs")
local load = require("orrery.model.load")
local project = dofile("tests/lua/project.lua")

local function example(name) return assert(fs.read("tests/examples/" .. name)) end

-- Loads one example as workflows/NAME with the files it wants.
local function load_example(file, as, files, params)
  local all = { ["workflows/" .. as] = example(file) }
  for path, text in pairs(files or {}) do all[path] = text end
  return project.with(all, function(root)
    return load.file("workflows/" .. as, { root = root, params = params,
      config = config.load(root) })
  end)
end

local function ids(wf)
  local out = {}
  for i, s in ipairs(wf.steps) do out[i] = s.id end
  return table.concat(out, " ")
end

describe("example", function()
  it("01, a C project: three builds, in sorted order, linked by their objects", function()
    local wf = load_example("01-c-project.lua", "app.lua", { ["src/a.c"] = "", ["src/l/b.c"] = "",
      ["tests/t.sh"] = "" })
    assert.are.equal("cc:asan:src/a.c cc:asan:src/l/b.c link:asan test:asan:tests/t.sh "
      .. "cc:debug:src/a.c cc:debug:src/l/b.c link:debug test:debug:tests/t.sh "
      .. "cc:release:src/a.c cc:release:src/l/b.c link:release test:release:tests/t.sh", ids(wf))
    local link = wf.by_id["link:asan"]
    assert.are.same({ "cc:asan:src/a.c", "cc:asan:src/l/b.c" }, link.needs)
    assert.are.equal("build/asan/src/a.c.o", link.implied["cc:asan:src/a.c"])
    assert.are.equal("build/asan/src/a.c.o.d", wf.steps[1].depfile)
    assert.are.equal(60, wf.by_id["test:asan:tests/t.sh"].timeout)
    assert.are.equal("asan", wf.steps[1].group.id)
  end)

  it("02, a monorepo: tasks of packages from their package.json", function()
    local wf = load_example("02-js-monorepo.lua", "mono.lua", {
      ["packages/app/package.json"] = '{ "name": "app", "dependencies": { "lib": "1", "x": "2" } }',
      ["packages/lib/package.json"] = '{ "name": "lib" }' })
    assert.are.equal("install build:app build:lib test:app test:lib lint:app lint:lib", ids(wf))
    local b = wf.by_id["build:app"]
    assert.are.same({ "install", "build:lib" }, b.needs)
    assert.are.equal("packages/app/**", b.inputs[1].path)
    assert.is_true(b.inputs[2].exclude)
    assert.are.equal("packages/app/test/**", b.inputs[2].path)
    assert.are.same({ "NODE_ENV" }, b.env.take)
    assert.are.same({ "CI" }, wf.by_id["test:app"].env.pass)
    assert.are.equal(".eslintrc.json", wf.by_id["lint:app"].inputs[2].path)
    assert.are.same({ store = false }, wf.by_id.install.cache)
  end)

  it("03, a data pipeline: chains by their files", function()
    local wf = load_example("03-data-pipeline.lua", "wgs.lua",
      { ["samples.tsv"] = "s1\tfq/s1.fq\ns2\tfq/s2.fq\n" })
    assert.are.equal("trim:s1 align:s1 call:s1 qc:s1 trim:s2 align:s2 call:s2 qc:s2 merge", ids(wf))
    local align = wf.by_id["align:s1"]
    assert.are.same({ "trim:s1" }, align.needs)
    assert.are.same({ fq = { 1 }, ref = { 2 } }, align.input_names)
    assert.are.equal(3, align.retry.attempts)
    assert.is_true(wf.by_id["trim:s1"].temp)
    assert.are.equal(4 << 30, wf.by_id["trim:s1"].resources.mem)
    assert.are.same({ "call:s1", "call:s2" }, wf.by_id.merge.needs)
    assert.are.equal("settled", wf.by_id.samples.policy.module)
    assert.are.equal(16, wf.by_id.samples.limit)
    assert.are.equal("samples", wf.by_id["sample:s1"].parent.id)
  end)

  it("04, a release: a chain, secrets, finally", function()
    local wf = load_example("04-release.lua", "release.lua", nil, { version = "1.4.0" })
    assert.are.equal("clean bump test confirm tag publish push untag restore", ids(wf))
    assert.are.equal("1.4.0", wf.values.version)
    assert.is_true(wf.by_id.untag.final)
    assert.are.equal(2, #wf.top.finally)
    assert.is_true(wf.by_id.restore.status_word)
    assert.are.equal(10, wf.by_id.publish.retry.delay)
    assert.are.equal("fail_fast", wf.top.policy.module)
    local ok, e = pcall(load_example, "04-release.lua", "release.lua", nil, { version = "1.4" })
    assert.is_false(ok)
    assert.are.equal("usage", e.code)
    assert.are.equal([[param 'version' must match ^\d+\.\d+\.\d+$, not '1.4' (e.g. 1.4.0)]], e.message)
  end)

  it("05, end to end tests: a service and a matrix, in YAML", function()
    local wf = load_example("05-e2e.yaml", "e2e.yaml")
    assert.are.equal("postgres migrate e2e[1] e2e[2] e2e[3] report", ids(wf))
    assert.are.same({ shard = 2 }, wf.by_id["e2e[2]"].matrix)
    assert.are.same({ "migrate" }, wf.by_id["e2e[2]"].needs)
    assert.are.equal("e2e", wf.by_id["e2e[2]"].group.id)
    assert.are.equal("service", wf.by_id.postgres.kind)
    assert.are.equal(0.5, wf.by_id.postgres.ready.every)
    assert.are.equal(1200, wf.by_id["e2e[1]"].timeout)
    assert.are.equal("always()", wf.by_id.report.when)
    assert.are.equal("16", wf.values.pg)
    assert.are.equal(7, wf.by_id.migrate.place.line)
  end)

  it("06 and 07, bodies of agents", function()
    local review = load_example("06-agent-review.lua", "review.lua")
    assert.are.equal("function", type(review.body))
    assert.are.same({ usd = 5 }, review.budget)
    assert.are.same({ base = "origin/main", target = 95, rounds = 5 }, review.values)
    assert.are.equal("function", type(load_example("07-map-reduce.lua", "digest.lua").body))
  end)

  it("08, a race", function()
    local wf = load_example("08-race.lua", "ask.lua", nil, { question = "why" })
    assert.are.equal("race", wf.by_id.answer.policy.module)
    assert.are.equal(3, #wf.by_id.answer.members)
    assert.are.equal("function", type(wf.result))
  end)

  it("09, a deployment with an approval, in YAML", function()
    local wf = load_example("09-deploy.yaml", "deploy.yaml", nil, { env = "prod" })
    assert.are.equal("build tfplan ship apply", ids(wf))
    assert.are.equal(72 * 3600, wf.by_id.ship.timeout)
    assert.are.same({ "tf.txt" }, wf.by_id.ship.show)
    assert.are.equal("prod", wf.values.env)
  end)

  it("10, a fan-out over a result", function()
    local wf = load_example("10-fan-out.lua", "port.lua")
    local port = wf.by_id.port
    assert.are.same({ "plan" }, port.needs)
    assert.are.same({ kind = "for_each", items = "{{results.plan.value}}", label = "{{item.file}}",
      limit = 8 }, port.fan)
    assert.are.equal("ts/{{item.file}}.ts", port.outputs[1].path)
  end)

  it("11, a shared library with its own policy", function()
    local wf = load_example("11-reuse/roll.lua", "roll.lua", {
      ["orrery.lua"] = 'return { path = { "vendor/acme/lua" } }',
      ["workflows/image.lua"] = example("11-reuse/image.lua"),
      ["vendor/acme/lua/acme/steps.lua"] = example("11-reuse/steps.lua"),
      ["vendor/acme/lua/acme/canary.lua"] = example("11-reuse/canary.lua") }, { version = "1" })
    assert.are.equal("unit image to:eu-1 to:us-1 to:ap-1", ids(wf))
    assert.are.equal("api", wf.by_id.unit.cwd)
    assert.are.same({ NODE_ENV = "test" }, wf.by_id.unit.env.set)
    assert.are.equal("acme.canary", wf.by_id.rollout.policy.module)
    assert.are.same({ first = 1, pause = "5m" }, wf.by_id.rollout.policy.options)
    assert.are.same({ "image" }, wf.by_id["to:eu-1"].needs)
    assert.are.equal("vendor/acme/lua/acme/steps.lua", wf.by_id.unit.place.file)
  end)

  it("14, environments", function()
    local wf = load_example("14-environments.lua", "web.lua")
    assert.are.equal("dev", wf.values.env)
    assert.are.same({ ".env", ".env.{{params.env}}" }, wf.dotenv)
    assert.are.same({ scope = "{{params.env}}" }, wf.cache)
    assert.are.same({ API_TOKEN = { env = "API_TOKEN" },
      DB_URL = { file = ".secrets/{{params.env}}/db" } }, wf.secrets)
    local b = wf.by_id.build
    assert.are.equal("web", b.cwd)
    assert.are.equal("web/dist/**", b.outputs[1].path)
    assert.are.same({ set = { NODE_ENV = "production" }, take = { "API_URL" }, pass = { "CI" } },
      b.env)
  end)
end)
