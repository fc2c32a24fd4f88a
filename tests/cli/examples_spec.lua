-- The programs of the language's page, run for real with stand-ins for foreign commands.
local cli = require("tests.cli.harness")

local function example(name) return assert(cli.read("tests/examples/" .. name)) end

local function with(files, more)
  for k, v in pairs(more) do files[k] = v end
  return files
end

-- A command that says its name and arguments in the file 'calls' and does what 'body' says.
local function stand_in(body) return "#!/bin/sh\necho \"$(basename $0) $*\" >> \"$ROOT/calls\"\n" .. body end


describe("example 01, a C project built three ways", function()
  local files = {
    ["workflows/app.lua"] = example("01-c-project.lua"),
    ["src/main.c"] = '#include "v.h"\n#include <stdio.h>\nint main(void) { printf("%d\\n", V); return 0; }\n',
    ["src/v.h"] = "#define V 7\n",
    ["tests/one.sh"] = 'test "$("$1")" = "$(cat tests/data/want)"\n',
    ["tests/data/want"] = "7\n",
  }
  it("compiles, links and tests each, then has nothing to do; a header wakes all of it", cli.run {
    files = files, args = "run app -j2", stdout = "9 steps: 9 ran",
    again = { args = "run app", stdout = "9 steps: everything up to date",
      again = { files = { ["src/v.h"] = "#define V 8\n" }, args = "run app -k", code = 1,
        stdout = "src/v.h changed", stderr = "test:debug:tests/one.sh: exit 1",
        again = { files = { ["tests/data/want"] = "8\n" }, args = "run app asan",
          stdout = "3 steps" } } },
  })
end)

describe("example 02, a JavaScript monorepo", function()
  it("installs, builds in order of dependencies, tests and lints; an edit wakes its own package", cli.run {
    files = {
      ["workflows/mono.lua"] = example("02-js-monorepo.lua"),
      ["packages/a/package.json"] = '{"name":"a","dependencies":{"b":"*"}}',
      ["packages/b/package.json"] = '{"name":"b"}',
      ["packages/a/i.js"] = "a", ["packages/b/i.js"] = "b", ["packages/b/test/t.js"] = "t",
      ["pnpm-lock.yaml"] = "lock", [".eslintrc.json"] = "{}", [".gitignore"] = "node_modules\ndist\n",
      ["bin/pnpm"] = "#!/bin/sh\ncase \"$*\" in install*) mkdir -p node_modules; echo > node_modules/.modules.yaml;;\n"
        .. "'run build') mkdir -p dist; cat i.js > dist/o.js; echo built $PWD;;\n*) echo $* $PWD;; esac\n",
    },
    shell = "PATH=$PWD/bin:$PATH $orrery run mono",
    stdout = { "7 steps: 7 ran", "built" },
    again = { shell = "PATH=$PWD/bin:$PATH $orrery run mono", stdout = "everything up to date",
      again = { files = { ["packages/b/test/t.js"] = "t2" }, shell = "PATH=$PWD/bin:$PATH $orrery run mono",
        stdout = { "test:b", "lint:b", "!test:a", "!build:" } } },
  })
end)

describe("example 03, a data pipeline", function()
  local function tool(out) return stand_in(out) end
  it("runs each sample's chain side by side and merges; deletes temporary files", cli.run {
    files = {
      ["workflows/wgs.lua"] = example("03-data-pipeline.lua"),
      ["samples.tsv"] = "s1\tin/1.fq\ns2\tin/2.fq\n", ["in/1.fq"] = "1", ["in/2.fq"] = "2", ["ref/hg38.fa"] = "r",
      ["bin/fastp"] = tool('cp "$2" "$4"\n'),
      ["bin/bwa-mem2"] = "#!/bin/sh\ncat \"$5\"\n",
      ["bin/samtools"] = '#!/bin/sh\ncase "$1" in sort) cat > "$3";; *) echo flag;; esac\n',
      ["bin/deepvariant"] = tool('cp "$2" "$4"\n'),
      ["bin/bcftools"] = tool('o=$3; shift 3; cat "$@" > "$o"\n'),
    },
    shell = "PATH=$PWD/bin:$PATH ROOT=$PWD $orrery run wgs -j 32 --resources gpu=2,mem=200G,cpu=32 -k && cat out/all.vcf.gz",
    stdout = { "9 steps: 9 ran", "12" },
    after = function(dir)
      assert.is_nil(cli.read(dir .. "/out/s1/trim.fq.gz"))
      assert.equal("2", cli.read(dir .. "/out/s2/calls.vcf.gz"))
    end,
    again = { shell = "PATH=$PWD/bin:$PATH ROOT=$PWD $orrery run wgs --resources gpu=2,mem=200G,cpu=32",
      stdout = "everything up to date" },
  })
end)

describe("example 11, reuse", function()
  local files = {
    ["orrery.lua"] = 'return { path = { "vendor/acme/lua" } }',
    ["workflows/image.lua"] = example("11-reuse/image.lua"),
    ["workflows/roll.lua"] = example("11-reuse/roll.lua"),
    ["vendor/acme/lua/acme/steps.lua"] = example("11-reuse/steps.lua"),
    ["vendor/acme/lua/acme/canary.lua"] = (example("11-reuse/canary.lua")),
    ["api/x.js"] = "x", Dockerfile = "d", ["src/s"] = "s",
    ["push-image"] = "#!/bin/sh\necho \"{\\\"digest\\\": \\\"sha-$1\\\"}\"\n",
    deploy = "#!/bin/sh\necho \"$1 $2\" >> deployed\n[ \"$1\" != \"$BAD\" ]\n",
    ["bin/npm"] = "#!/bin/sh\necho npm $*\n",
  }
  files["workflows/roll.lua"] = files["workflows/roll.lua"]:gsub('"5m"', '"1ms"')
  it("runs a nested workflow and a canary policy of the user's own", cli.run {
    files = files, shell = "PATH=$PWD/bin:$PATH $orrery run roll -p version=3 && cat deployed",
    stdout = { "eu-1 sha-v3", "us-1 sha-v3", "ap-1 sha-v3" },
  })
  it("stops after a failed canary", cli.run {
    files = with(with({}, files), {}), code = 1,
    shell = "PATH=$PWD/bin:$PATH BAD=eu-1 $orrery run roll -p version=3; c=$?; cat deployed; exit $c",
    stdout = { "eu-1 sha-v3", "!us-1", "!ap-1" }, stderr = "canary",
  })
end)

describe("example 05, end to end tests against a service", function()
  local server = cli.binary():gsub("[^/]*$", "tests/server")
  local files = {
    ["workflows/e2e.yaml"] = example("05-e2e.yaml"),
    ["bin/docker"] = "#!/bin/sh\necho \"$@\" > docker.args\nport=$(echo \"$4\" | cut -d: -f1)\nexec "
      .. server .. " $port --note notes\n",
    ["bin/pg_isready"] = "#!/bin/sh\nexec " .. server .. " --ask $4 'GET /'\n",
    ["bin/npm"] = "#!/bin/sh\necho migrated $DATABASE_URL >> migrated\n",
    ["bin/npx"] = "#!/bin/sh\ncase \"$1\" in playwright) port=${DATABASE_URL##*:}; exec " .. server
      .. " --ask ${port%/app} \"$3\";; *) cat reports/[123].xml > reports/all.xml;; esac\n",
  }
  it("starts the database, migrates, tests in shards, reports, and ends it", cli.run {
    files = files, shell = "PATH=$PWD/bin:$PATH $orrery run e2e -p pg=15",
    stdout = { "ready      postgres  on port ", "6 steps: 6 ran" },
    after = function(dir)
      assert.equal("heard --shard=1/3\nheard --shard=2/3\nheard --shard=3/3\n",
        cli.read(dir .. "/reports/all.xml"))
      assert.equal("start\nstop\n", cli.read(dir .. "/notes"))
      assert.truthy(cli.read(dir .. "/docker.args"):find("postgres:15", 1, true))
    end,
  })
end)

describe("example 14, environments", function()
  it("builds with what is declared and passed", cli.run {
    files = { ["workflows/web.lua"] = example("14-environments.lua"), ["web/a.js"] = "a",
      [".env"] = "API_URL=from-dotenv\n", [".env.prod"] = "API_URL=from-prod\n",
      ["bin/npm"] = "#!/bin/sh\nmkdir -p dist; echo \"$API_URL $NODE_ENV\" > dist/o\n" },
    shell = "PATH=$PWD/bin:$PATH $orrery run web build -p env=prod && cat web/dist/o",
    stdout = "from-prod production",
  })
end)
