// An agent types "/shipping-command 3.5 express" and sees the price. Written
// for the older contract: an Error given to the callback is shown to the agent.

const rates = {
  standard: { base: 4.9, perKilo: 0.8 },
  express: { base: 9.9, perKilo: 1.6 },
};

function lambda(input, callback) {
  const [weight, speed = "standard"] = input.payload.arguments || [];
  const kilos = Number(weight);
  const rate = rates[speed];

  if (!(kilos > 0) || !rate) {
    callback(new Error("Type a weight in kg and standard or express, for example: /shipping-command 3.5 express"));
    return;
  }
  const price = rate.base + rate.perKilo * Math.ceil(kilos);
  callback(null, `${kilos} kg ${speed}: ${price.toFixed(2)} EUR`);
}
