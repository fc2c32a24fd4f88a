std = "lua54"
max_line_length = 100
exclude_files = { "lua/orrery/_meta/*.lua", "build*/" }
files["tests/**/*.lua"] = { std = "+busted" }
files["lua/orrery/face/cmd/lua.lua"] = { globals = { "arg" } }
