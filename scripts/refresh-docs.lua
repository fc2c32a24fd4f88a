-- Types the commands of documents again and writes what they print now into them.
-- Usage: build/orrery lua scripts/refresh-docs.lua docs/tutorial.md …
package.path = "./?.lua;" .. package.path
local docs = require("tests.docs")
local fs = require("orrery.fs")

for _, path in ipairs(arg) do
  fs.write_atomic(path, docs.refresh(fs.read(path)))
  print(path)
end
