std = "lua54"
max_line_length = 100
exclude_files = { "lua/orrery/_meta/*.lua", "build*/", "tests/examples/**" }
-- A test is one value: whole workflows stand in it on lines as long as they need.
files["tests/**/*.lua"] = { std = "+busted", max_line_length = 140 }
files["lua/orrery/face/cmd/lua.lua"] = { globals = { "arg" } }
