# The handler is source text that a Worker Loader binding turns into isolates.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const main :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "loader.mjs", esModule = embed "loader.mjs"),
    (name = "worker.txt", text = embed "worker.mjs"),
    (name = "handler.txt", text = embed "handler.mjs"),
  ],
  bindings = [(name = "LOADER", workerLoader = ())],
);
