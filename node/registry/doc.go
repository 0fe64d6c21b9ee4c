// Package registry keeps a program registered in Consul: a node, with its checks, or a gateway. Registrar.Run holds the
// registration for as long as the program runs; Registrar.Drain takes it out in order.
//
// # Design
//
// Registration is a loop that compares, not a call that is made once. An agent answers 200 and may forget everything: it
// is restarted, somebody edits or deregisters the service, its reaper collects it. So one goroutine hangs on the agent's
// own definition of the service (a long poll by content hash, which costs nothing while nothing changes) and registers
// again when it is gone or differs; another sends a heartbeat every 5 s, and every 30 s looks whether both checks are
// still there. It registers only when there is a difference, since registering restarts the check's clock.
//
// There are two checks. The agent asks /health-check over HTTP, with the id of the instance in the URL: what listens at
// that address under another id fails it, so that an old registration never passes on the strength of its successor. A
// TTL check lets the program speak first: Fail takes it out of the ring within milliseconds. Its heartbeat text is
// constant, as each change of a check's output would wake everyone who watches.
//
// The service id is made of the service and the instance's id and so is the same over restarts; the check ids are made
// of that. What another run left on this agent at the same address under another id is deregistered at the start. An
// operator's maintenance is a check that isn't ours: it stays over restarts until the operator ends it.
//
// Consul being away is never a reason to stop. The price of all this is one idle connection to the agent.
//
// What it does not do: find out who else is there (package membership), serve /health-check, or register through
// another agent than its own; what another agent has, that agent's reaper collects.
//
// A gateway is registered by the same code with another Desired. Its program's run imports this package for that, the one
// exception to gateways importing only wire and record from node/: run is where everything is put together, and a
// second registrar, or a package above both that holds this alone, would be harder to find.
package registry
