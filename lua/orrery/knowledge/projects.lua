-- What a project is made with, by its manifests: each technology with where that is said.
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local techs = require("orrery.knowledge.techs")
local sorted = require("orrery.kernel.sorted")

local projects = {}

-- Packages that mean a technology and are not called like it.
local packages = { ["react-dom"] = "react", ["@angular/core"] = "angular", ["@nestjs/core"] =
  "nestjs", ["react-native"] = "reactnative", ["@sveltejs/kit"] = "sveltekit", ["solid-js"] =
  "solidjs", ["@builder.io/qwik"] = "qwik", next = "nextjs", ["@playwright/test"] = "playwright",
  ["@prisma/client"] = "prisma", ["@supabase/supabase-js"] = "supabase", ["drizzle-orm"] =
  "drizzle", ["@reduxjs/toolkit"] = "redux", ["@apollo/client"] = "apollo", ["@tauri-apps/api"] =
  "tauri", ["@remix-run/react"] = "remix", ["@ionic/core"] = "ionic", ["djangorestframework"] =
  "django", ["psycopg2"] = "postgresql", pg = "postgresql", ["@types/node"] = "nodejs",
  ["next.js"] = "nextjs", sinatra = "sinatra", ["rails"] = "rails", ["laravel/framework"] =
  "laravel", ["livewire/livewire"] = "livewire", ["drupal/core"] = "drupal",
  ["symfony/framework-bundle"] = "symfony", ["github.com/gin-gonic/gin"] = "gin",
  ["github.com/gofiber/fiber/v2"] = "fiber", ["github.com/labstack/echo/v4"] = "echo",
  ["org.springframework.boot"] = "spring", ["androidx.compose"] = "jetpack compose",
  phoenix_live_view = "phoenix", ["@alpinejs/core"] = "alpinejs", ["htmx.org"] = "htmx" }

local function package_tech(name)
  name = name:lower()
  local hit = packages[name]
  if hit then return hit end
  -- A scope says nothing; a bare one-letter or ambiguous package must be exact.
  return techs.named(name)
end

local function note(out, tech, why)
  if not tech then return end
  local list = out[tech] or {}
  out[tech] = list
  if #list < 3 then list[#list + 1] = why end
end

local readers = {}

readers["package.json"] = function(text, file, out)
  local value = json.decode(text, { last_wins = true })
  note(out, "javascript", file)
  if type(value) ~= "table" then return end
  for _, field in ipairs({ "dependencies", "devDependencies", "peerDependencies" }) do
    for name, version in sorted.pairs(type(value[field]) == "table" and value[field] or {}) do
      note(out, package_tech(tostring(name)), ("%s: %s %s"):format(file, name, tostring(version)))
    end
  end
  if type(value.engines) == "table" and value.engines.node then
    note(out, "nodejs", file .. ": engines.node")
  end
end

readers["composer.json"] = function(text, file, out)
  note(out, "php", file)
  local value = json.decode(text, { last_wins = true })
  for name in sorted.pairs(type(value) == "table" and type(value.require) == "table"
    and value.require or {}) do
    note(out, package_tech(tostring(name)), ("%s: %s"):format(file, name))
  end
end

-- Lines that name packages. (An anchor means nothing to gmatch.)
local function line_packages(language, pattern)
  local function each(line)
    if pattern:sub(1, 1) ~= "^" then return line:gmatch(pattern) end
    local name = line:match(pattern)
    return function()
      local one = name
      name = nil
      return one
    end
  end
  return function(text, file, out)
    note(out, language, file)
    for line in (text .. "\n"):gmatch("([^\n]*)\n") do
      if not line:find("^%s*[#;]") and not line:find("^%s*//") then
        for name in each(line) do
          note(out, package_tech(name), ("%s: %s"):format(file, name))
        end
      end
    end
  end
end

readers["requirements.txt"] = line_packages("python", "^%s*([%w][%w%._%-]*)")
readers["pyproject.toml"] = line_packages("python", "[\"']?([%w][%w%._%-]+)[\"']?%s*[=<>~!%[\",]")
readers["Pipfile"] = line_packages("python", "^([%w][%w%._%-]*)%s*=")
readers["go.mod"] = line_packages("go", "%s([%w%.%-]+%.%w+/[%w%./%-_]+)%s+v")
readers["Cargo.toml"] = line_packages("rust", "^([%w_%-]+)%s*=")
readers["Gemfile"] = line_packages("ruby", "^%s*gem%s+[\"']([%w_%-]+)")
readers["mix.exs"] = line_packages("elixir", "{:([%w_]+)")
readers["pubspec.yaml"] = line_packages("dart", "^%s+([%w_]+):")
readers["pom.xml"] = line_packages("java", "<groupId>([%w%.]+)</groupId>")
readers["build.gradle"] = line_packages("java", "[\"']([%w%.]+)[:\"']")
readers["build.gradle.kts"] = line_packages("kotlin", "[\"'%(]([%w%.]+)[:\"']")

readers["CMakeLists.txt"] = function(text, file, out)
  note(out, "cmake", file)
  local found = false
  for args in text:gmatch("[Pp][Rr][Oo][Jj][Ee][Cc][Tt]%s*(%b())") do
    for word, name in pairs({ C = "c", CXX = "cpp", CUDA = "cuda" }) do
      if (" " .. args:gsub("[%(%)%s]", " ") .. " "):find(" " .. word .. " ", 1, true) then
        note(out, name, file .. ": project languages")
        found = true
      end
    end
  end
  if not found then -- what CMake enables when none is named
    note(out, "c", file)
    note(out, "cpp", file)
  end
end

-- Files whose being there is all.
local marks = { ["tsconfig.json"] = "typescript", ["Dockerfile"] = "docker",
  ["docker-compose.yml"] = "docker", ["compose.yaml"] = "docker", ["deno.json"] = "deno",
  ["next.config.js"] = "nextjs", ["next.config.mjs"] = "nextjs", ["next.config.ts"] = "nextjs",
  ["angular.json"] = "angular", ["svelte.config.js"] = "svelte", ["astro.config.mjs"] = "astro",
  ["nuxt.config.ts"] = "nuxt", ["tailwind.config.js"] = "tailwind",
  ["tailwind.config.ts"] = "tailwind", ["manage.py"] = "django", ["artisan"] = "laravel",
  ["hardhat.config.js"] = "hardhat", ["hardhat.config.ts"] = "hardhat",
  ["cypress.config.js"] = "cypress", ["cypress.config.ts"] = "cypress",
  ["playwright.config.ts"] = "playwright", ["vite.config.js"] = "vite",
  ["vite.config.ts"] = "vite", ["app.json"] = false, ["Package.swift"] = "swift",
  ["ProjectSettings/ProjectVersion.txt"] = "unity", ["main.tf"] = "terraform",
  ["setup.py"] = "python", ["build.zig"] = "zig" }

-- Where manifests are: the project and, in a workspace of packages, two levels beneath.
local function manifests(root)
  local patterns = { "!**/node_modules/**", "!**/vendor/**", "!**/.venv/**" }
  for _, set in ipairs({ readers, marks }) do
    for name in pairs(set) do
      for _, dir in ipairs({ "", "*/", "*/*/" }) do table.insert(patterns, 1, dir .. name) end
    end
  end
  table.insert(patterns, 1, "*.csproj")
  return fs.glob(patterns, { root = root, hidden = false }) or {}
end

--- Technologies of a project: name → where each is said (at most three places).
---@param root string
---@return table<string, string[]>
---@return string[] manifests that were looked at
function projects.detect(root)
  local out, files = {}, manifests(root)
  for _, file in ipairs(files) do
    local base = file:match("[^/]*$")
    local read, mark = readers[base], marks[base] or marks[file]
    if read then
      local text = fs.read(root .. "/" .. file, 1 << 20)
      if text then read(text, file, out) end
    end
    if mark then note(out, mark, file) end
    if base:find("%.csproj$") then
      note(out, "csharp", file)
      note(out, "dotnet", file)
    end
  end
  return out, files
end

return projects
