-- Technologies: what they are called, and where their names occur in a text as whole words.
-- "go" is in "go-backend" and in "Go services", never in "django", "google" or "go on".
local techs = {}

-- name, kind, other spellings (lower case, "." and " " for themselves). A kind says how
-- binding a name is: a rule for one framework is of no use in a project of another.
-- A "word" is also an English one: in a text it counts only with a capital inside a sentence,
-- or when what stands beside it is no word of prose.
local list = {
  { "javascript", "language", "js", "es6", "ecmascript" }, { "typescript", "language", "ts" },
  { "python", "language", "python3", "py" }, { "go", "language", "golang", word = true },
  { "rust", "language", word = true }, { "java", "language" }, { "kotlin", "language" },
  { "swift", "language", word = true }, { "c", "language", word = true },
  { "cpp", "language", "c++" }, { "csharp", "language", "c#" }, { "php", "language" },
  { "ruby", "language", word = true }, { "elixir", "language", word = true },
  { "scala", "language" }, { "dart", "language", word = true }, { "lua", "language" },
  { "r", "language", word = true }, { "julia", "language", word = true },
  { "solidity", "language" }, { "cairo", "language", word = true }, { "rell", "language" },
  { "html", "language" }, { "css", "language" }, { "sass", "language", "scss" },
  { "sql", "language" }, { "bash", "language", "shell" }, { "apex", "language", word = true },
  { "haskell", "language" }, { "zig", "language", word = true },
  { "react", "framework", "reactjs", "react.js", word = true },
  { "nextjs", "framework", "next.js", "nextjs14", "nextjs15" },
  { "vue", "framework", "vuejs", "vue.js", "vue3" }, { "nuxt", "framework", "nuxtjs", "nuxt.js" },
  { "angular", "framework", word = true },
  { "svelte", "framework", word = true }, { "sveltekit", "framework" },
  { "astro", "framework" }, { "remix", "framework", word = true },
  { "gatsby", "framework", word = true }, { "qwik", "framework" },
  { "solidjs", "framework", "solid.js" }, { "express", "framework", "expressjs", word = true },
  { "nestjs", "framework", "nest.js" }, { "fastify", "framework" },
  { "django", "framework" }, { "flask", "framework", word = true }, { "fastapi", "framework" },
  { "rails", "framework", "ruby on rails", word = true }, { "sinatra", "framework" },
  { "laravel", "framework" }, { "symfony", "framework" }, { "wordpress", "framework" },
  { "drupal", "framework" }, { "typo3", "framework", "typo3cms" },
  { "spring", "framework", "springboot", "spring boot", word = true },
  { "phoenix", "framework", "liveview", word = true }, { "fiber", "framework", word = true },
  { "gin", "framework", word = true }, { "echo", "framework", word = true },
  { "flutter", "framework", word = true }, { "reactnative", "framework", "react native",
    "react-native" }, { "expo", "framework", word = true }, { "nativescript", "framework" },
  { "ionic", "framework" }, { "android", "framework" },
  { "jetpack compose", "framework", "jetpack-compose" }, { "swiftui", "framework" },
  { "unity", "framework", word = true }, { "unreal", "framework", word = true },
  { "dragonruby", "framework" }, { "electron", "framework", word = true },
  { "tauri", "framework" }, { "htmx", "framework" }, { "alpinejs", "framework", "alpine.js" },
  { "livewire", "framework" }, { "salesforce", "framework" }, { "medusa", "framework" },
  { "hardhat", "framework" }, { "dotnet", "framework", ".net", "asp.net" },
  { "pytorch", "framework", "torch" }, { "tensorflow", "framework" },
  { "scikit-learn", "framework", "sklearn", "scikit learn" }, { "pandas", "framework" },
  { "nodejs", "tool", "node.js", "node" }, { "deno", "tool" }, { "bun", "tool", word = true },
  { "tailwind", "tool", "tailwindcss" }, { "shadcn", "tool", "shadcn-ui", "shadcn/ui" },
  { "zod", "tool" }, { "prisma", "tool" }, { "drizzle", "tool", word = true },
  { "supabase", "tool" }, { "firebase", "tool" }, { "convex", "tool", word = true },
  { "mongodb", "tool", "mongoose" }, { "postgresql", "tool", "postgres" }, { "mysql", "tool" },
  { "redis", "tool" }, { "sqlite", "tool" }, { "graphql", "tool" }, { "apollo", "tool" },
  { "docker", "tool" }, { "kubernetes", "tool", "k8s" }, { "terraform", "tool" },
  { "aws", "tool" }, { "vercel", "tool" }, { "cypress", "tool", word = true },
  { "playwright", "tool" }, { "jest", "tool", word = true }, { "vitest", "tool" },
  { "pytest", "tool" }, { "vite", "tool" }, { "webpack", "tool" }, { "redux", "tool" },
  { "zustand", "tool" }, { "langchain", "tool" }, { "jpa", "tool", "hibernate" },
  { "cmake", "tool" }, { "gradle", "tool" }, { "maven", "tool" }, { "cuda", "tool" },
}

-- Endings of files that say what is in them.
techs.endings = { js = "javascript", mjs = "javascript", cjs = "javascript", jsx = "javascript",
  ts = "typescript", tsx = "typescript", py = "python", go = "go", rs = "rust", java = "java",
  kt = "kotlin", swift = "swift", c = "c", h = "c", cpp = "cpp", cc = "cpp", hpp = "cpp",
  cs = "csharp", php = "php", rb = "ruby", ex = "elixir", exs = "elixir", scala = "scala",
  dart = "dart", lua = "lua", sol = "solidity", cairo = "cairo", vue = "vue", svelte = "svelte",
  astro = "astro", html = "html", css = "css", scss = "sass", sql = "sql", sh = "bash",
  r = "r", jl = "julia", rell = "rell" }

local by_spelling, kinds, words = {}, {}, {}
-- First word of a spelling → how many words the longest that begins so has. Between words a
-- blank stands for blank, hyphen and slash.
local longest = {}
for _, t in ipairs(list) do
  kinds[t[1]], words[t[1]] = t[2], t.word or nil
  for i, spelling in ipairs(t) do
    if i ~= 2 then
      spelling = spelling:gsub("[%-/]", " ")
      by_spelling[spelling] = t[1]
      local first, n = spelling:match("^%S+"), 1
      for _ in spelling:gmatch(" ") do n = n + 1 end
      longest[first] = math.max(longest[first] or 1, n)
    end
  end
end

--- What a technology is to a project; nil for a name that is none.
---@param name string
---@return "language"|"framework"|"tool"|nil
function techs.kind(name) return kinds[name] end

--- The technology a word or a package means, by any of its spellings.
---@param word string any case
---@return string?
function techs.named(word) return by_spelling[word:lower():gsub("[%-/]", " ")] end

-- A word in small letters without what surrounds it in prose. Most words are prose alone.
local function clean(token)
  if longest[token] or not token:find("%p") then return token end
  if token:find("^[%(\"'`]*%.net") then return ".net" end
  return (token:gsub("^%p+", ""):gsub("[%.,;:%(%)%[%]\"'`*_!?]+$", ""))
end

local function tokens_of(text)
  local out = {}
  for token in text:gmatch("[^%s/%-]+") do out[#out + 1] = token end
  return out
end

-- Is an ambiguous word meant as a name here: with a capital, and not as a sentence begins?
local function is_name(tokens, i)
  if not tokens[i]:find("^%u") then return false end
  local before = tokens[i - 1]
  return before ~= nil and before:find("[%.!?:%-*#]$") == nil
end

-- The words of a text in small letters. The longest first: "jetpack compose" before "jetpack".
local function scan(tokens, out, accept)
  local i = 1
  while i <= #tokens do
    local first, step = clean(tokens[i]), 1
    local most = longest[first]
    for n = most and math.min(most, #tokens - i + 1) or 0, 1, -1 do
      local parts = { first }
      for k = i + 1, i + n - 1 do parts[#parts + 1] = clean(tokens[k]) end
      local name = by_spelling[table.concat(parts, " ")]
      if name and (n > 1 or accept(name, i)) then
        out[name] = true
        step = n
        break
      end
    end
    i = i + step
  end
end

--- Technologies that a path names, in the words between its separators.
---@param path string
---@return table<string, true>
function techs.of_path(path)
  local out = {}
  -- Single letters are initials more often than languages.
  local function accept(name) return #name > 1 end
  for part in path:lower():gmatch("[^/]+") do
    local tokens = {}
    for token in part:gsub("%.%w+$", ""):gmatch("[^%-_ ]+") do tokens[#tokens + 1] = token end
    scan(tokens, out, accept)
  end
  return out
end

--- Technologies that a text of prose names, as whole words.
---@param text string
---@return table<string, true>
function techs.of_text(text)
  local out, tokens = {}, nil
  scan(tokens_of(text:lower()), out, function(name, i)
    if #name == 1 or not words[name] then return #name > 1 end
    tokens = tokens or tokens_of(text)
    return is_name(tokens, i)
  end)
  return out
end

return techs
