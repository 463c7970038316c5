// One visit with a charge point client that is not ours: `node charge.js URL IDENTITY PASSWORD ID_TAG`.
// Prints what it metered as JSON: {transactionId, meterStart, meterStop, stopStatus}.
const { RPCClient } = require("ocpp-rpc");

const [endpoint, identity, password, idTag] = process.argv.slice(2);
const METER_START = 250000;
const REGISTERS = ["250000", "251234.5", "253000", "254321"];

async function main() {
  const client = new RPCClient({
    endpoint, identity, password, protocols: ["ocpp1.6"], strictMode: true, reconnect: false,
  });
  await client.connect();
  const call = (action, payload) => client.call(action, payload);
  await call("BootNotification", { chargePointVendor: "Independent", chargePointModel: "RPC" });
  await call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Preparing" });
  await call("Authorize", { idTag });
  const start = new Date(Date.now() - 3600 * 1000);
  const at = (minutes) => new Date(start.getTime() + minutes * 60000).toISOString();
  const started = await call("StartTransaction", {
    connectorId: 1, idTag, meterStart: METER_START, timestamp: at(0),
  });
  const { transactionId } = started;
  for (const [index, value] of REGISTERS.entries()) {
    await call("MeterValues", {
      connectorId: 1,
      transactionId,
      meterValue: [{
        timestamp: at(index * 15),
        sampledValue: [{ value, measurand: "Energy.Active.Import.Register", unit: "Wh" }],
      }],
    });
  }
  const stopped = await call("StopTransaction", {
    transactionId, idTag, meterStop: 254321, timestamp: at(50), reason: "Local",
  });
  await client.close();
  console.log(JSON.stringify({
    transactionId, meterStart: METER_START, meterStop: 254321, stopStatus: stopped.idTagInfo.status,
  }));
}

main().catch((error) => { console.error(error); process.exit(1); });
