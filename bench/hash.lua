local hash = require("orrery.core.hash")
local sys = require("orrery.core.sys")

return {
  claim = "files are hashed at the speed of OpenSSL on each core",
  peer = "openssl dgst, sha256sum",
  run = function(b)
    local size, files = 32 << 20, {}
    local bytes = ("0123456789abcdef"):rep(size // 16)
    for i = 1, sys.cpus() do files[i] = b:file("big" .. i, bytes) end
    b:rate("SHA-256 of bytes in memory", size, function() hash.sha256(bytes) end)
    b:rate("SHA-256 of one file", size, function() assert(hash.file(files[1])) end)
    b:rate(("SHA-256 of %d files, all cores"):format(#files), size * #files,
      function() assert(hash.files(files)[1]) end)
    local small = {}
    for i = 1, 2000 do small[i] = b:file("small/f" .. i, ("line %d\n"):format(i):rep(100)) end
    b:time("SHA-256 of a small file, of 2,000", function(n)
      for _ = 1, n // #small do hash.files(small) end
    end, { n = #small })
    for _, peer in ipairs { { "openssl", { "openssl", "dgst", "-sha256", files[1] } },
      { "sha256sum", { "sha256sum", files[1] } } } do
      if b:peer(peer[1]) then
        b:rate("SHA-256 of one file, whole process", size,
          function() require("proc").run(peer[2]) end, { who = peer[1] })
      end
    end
  end,
}
