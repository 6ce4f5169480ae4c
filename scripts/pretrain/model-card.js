export function modelCard(){return "x"}
