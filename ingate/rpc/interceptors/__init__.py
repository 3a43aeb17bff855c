"""What runs around every rpc, one stage a file. `stages` names them in their order, `chain` makes them one."""
