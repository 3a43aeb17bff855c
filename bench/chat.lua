-- Chat completions, one after another. Arguments: the key to send, the file with the request's body, what stands in it
-- for a number of each request's own, and whether heads have a traceparent ("varied"). Prints one line of JSON.

local before, after, varied
local number = 0

function init(args)
   local file = assert(io.open(args[2], "rb"))
   local body = file:read("*a")
   file:close()
   local first, last = body:find(args[3], 1, true)
   wrk.method = "POST"
   wrk.body = body
   wrk.headers["Content-Type"] = "application/json"
   wrk.headers["Accept"] = "application/json"
   wrk.headers["User-Agent"] = "OpenAI/Python 2.8.0"
   wrk.headers["Authorization"] = "Bearer " .. args[1]
   if first then
      before, after = body:sub(1, first - 1), body:sub(last + 1)
      varied = args[4] == "varied"
      request = differing
   end
end

function differing()
   number = number + 1
   if varied then
      wrk.headers["traceparent"] = string.format("00-%016x%016x-%016x-01", number * 2654435761, number, number * 40503)
   end
   return wrk.format(nil, nil, nil, before .. number .. after)
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
