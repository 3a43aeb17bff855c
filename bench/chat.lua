-- One chat completion, over and over. Arguments: the key to send. Prints its findings as one line of JSON.

local body = [[{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a concise assistant. Answer in one or two sentences and do not repeat the question."},{"role":"user","content":"A train leaves at nine and travels two hundred and forty kilometres at eighty kilometres an hour. When does it arrive?"}],"temperature":0.2,"max_tokens":120,"user":"bench-user"}]]

function init(args)
   wrk.method = "POST"
   wrk.body = body
   wrk.headers["Content-Type"] = "application/json"
   wrk.headers["Accept"] = "application/json"
   wrk.headers["User-Agent"] = "OpenAI/Python 2.8.0"
   wrk.headers["Authorization"] = "Bearer " .. args[1]
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
